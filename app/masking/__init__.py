"""Masking of values in a stream of bytes."""
