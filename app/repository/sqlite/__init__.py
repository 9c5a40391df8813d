"""The parts of the repository for SQLite alone: its files, settings, one writer and log."""
