"""Key providers, keyring, data-key cache and envelopes; knows nothing of the application."""
