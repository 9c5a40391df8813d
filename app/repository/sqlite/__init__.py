"""What is particular to SQLite: its files, its settings, its one writer and its log."""
