"""What the documentation says is so, and its commands work."""
