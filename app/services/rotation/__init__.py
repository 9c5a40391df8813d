"""Moves between root keys: rewrap, re-encrypt, retire, recover."""
