"""Old values of secrets in SQL."""
