"""Database files: made, locked, numbered, backed up, replaced."""
