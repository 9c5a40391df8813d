"""Envelopes, record keys, row MACs: all that the server seals itself."""
