"""The documentation is true, and its commands work."""
