"""Finds the server: addresses of its names, the host that answers, the primary among them."""
