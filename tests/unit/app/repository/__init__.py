"""What only one kind of database does."""
