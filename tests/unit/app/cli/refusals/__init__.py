"""Refusals by ``strongroom check``, of each provider over the network."""
