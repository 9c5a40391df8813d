"""Statements on the driver: prepared, run, parsed."""
