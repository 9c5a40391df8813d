"""Requests and responses: admission, bodies, errors, headers, the log."""
