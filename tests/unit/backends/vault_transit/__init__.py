"""What only ``vault-transit`` does; what every key provider does is in ``tests/contract``."""
