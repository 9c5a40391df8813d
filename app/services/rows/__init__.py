"""Rows in batches and pages, damaged rows, limits of an account."""
