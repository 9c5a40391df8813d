"""The services on a real database with real key files."""
