"""Old values of secrets."""
