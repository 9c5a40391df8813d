"""The plumbing of requests and responses."""
