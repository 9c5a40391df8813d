"""The providers that new wrappings are made by, with the key_refs that these get."""

from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring, ListedProvider


def wrapping_providers(keyring: Keyring) -> dict[str, ListedProvider]:
    """The first provider and every escrow key, by the key_ref that new wrappings get.

    Raises:
        KeyUnavailable: One of them cannot tell it; names the setting.
    """
    wrapping = {}
    for listed in keyring.listed:
        if listed.role == "unwraps":
            continue
        status = listed.provider.status()
        if status.key_ref is None:
            raise KeyUnavailable(listed.says(f"cannot tell its current key: {status.detail}"))
        wrapping[status.key_ref] = listed
    return wrapping
