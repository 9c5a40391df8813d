"""HashiCorp Vault transit, and OpenBao's."""
