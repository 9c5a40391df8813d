"""The errors of keys that services raise, for layers that see no backend."""

from backends.errors import DecryptionError, KeyProviderError, KeyUnavailable

__all__ = ["DecryptionError", "KeyProviderError", "KeyUnavailable", "SystemKeyUnreadable"]


class SystemKeyUnreadable(KeyProviderError):
    """This process cannot open the system data key, and so can serve nobody yet.

    Its rows were changed, or the provider that is listed for it answers with something else.
    """

    def __init__(self) -> None:
        super().__init__("The system data key was changed, or belongs to other keys.")
