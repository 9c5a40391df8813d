"""The contract of every database."""
