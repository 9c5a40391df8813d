"""Collections in SQL, the same for every database."""
