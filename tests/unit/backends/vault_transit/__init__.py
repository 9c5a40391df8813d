"""Behaviour of ``vault-transit`` alone; ``tests/contract`` has that of every key provider."""
