"""The contract of every key provider, whatever its vendor."""
