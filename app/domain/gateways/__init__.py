"""Gateway configs, gateway tokens, and the requests that they admit."""
