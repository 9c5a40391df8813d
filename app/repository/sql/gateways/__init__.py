"""Gateway configs, tokens and uses in SQL."""
