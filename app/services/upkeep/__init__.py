"""Upkeep of a deployment, by its workers and by an operator."""
