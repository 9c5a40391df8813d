"""Bounds on calls to providers: time, bytes, threads."""
