"""Redemption of injection tokens."""
