"""Environments in which people deploy: each serves, or ``check`` names what is missing."""
