"""The life cycle of keys: moved, retired, re-encrypted, recovered."""
