"""Alembic migrations: forwards only; a backup is the way back."""
