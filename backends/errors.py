"""Errors of key providers, in our own words, whatever vendor holds the root key.

A message names what failed, never a key, a token, a ciphertext or a vendor's text.
Vendor exceptions are never chained to these (``raise … from None``): they may carry what was sent.
"""


class KeyProviderError(Exception):
    """A key could not be wrapped or unwrapped."""


class DecryptionError(KeyProviderError):
    """The bytes were tampered with, belong to another context, or were made under another key.

    One class and one text for all three, so that an attacker learns nothing from it.
    """

    def __init__(self) -> None:
        super().__init__("The bytes do not open under this key and context.")


class KeyAccessDenied(KeyProviderError):
    """The provider refuses this deployment's identity, or knows no such key for it."""


class CredentialsMissing(KeyAccessDenied):
    """There are no credentials to ask the provider with now: it has refused nothing."""


class KeyUnavailable(KeyProviderError):
    """The provider is down, throttled or too slow; the same call may work later.

    Args:
        message: What failed, in words that name no input.
        retry_after: Whole seconds until another try makes sense, 1 to 60.
        throttled: It serves, and was only asked too often.
    """

    def __init__(self, message: str, *, retry_after: int = 2, throttled: bool = False) -> None:
        super().__init__(message)
        self.throttled = throttled
        self.retry_after = min(max(retry_after, 1), 60)


class KeyDisabled(KeyProviderError):
    """The root key exists and is switched off, or waits for its deletion."""


class UnknownKey(KeyProviderError):
    """No listed provider owns the wrapping, or the provider no longer has the root key."""


class KeyProviderConfigError(KeyProviderError):
    """A provider cannot work as it is configured; the message names the setting."""
