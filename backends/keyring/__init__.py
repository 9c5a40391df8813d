"""The keyring: the listed providers, bounded, in the order of the setting."""
