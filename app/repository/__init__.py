"""The database: the port that services see, and its implementation in SQL."""
