"""The messages on both sides: which may pass, and in what form. Nothing here waits."""
