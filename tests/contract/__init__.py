"""Suites that hold every implementation of a port to its promises."""
