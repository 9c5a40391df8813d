"""A gateway with both of its neighbours: an API that admits, and an upstream that records."""
