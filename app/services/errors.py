"""What services raise beside the domain's errors: those of keys, for who sees no backend."""

from backends.errors import DecryptionError, KeyProviderError, KeyUnavailable

__all__ = ["DecryptionError", "KeyProviderError", "KeyUnavailable"]
