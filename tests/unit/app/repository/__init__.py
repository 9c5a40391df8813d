"""Behaviour of one kind of database."""
