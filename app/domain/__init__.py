"""Frozen value types, the rules they obey, and errors. Imports no other layer."""
