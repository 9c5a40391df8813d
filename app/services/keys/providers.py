"""The entries of the two keyring settings, named as the operator wrote them."""

from collections.abc import Iterator
from dataclasses import dataclass

from backends.errors import KeyUnavailable
from backends.keyring.bounded_provider import BoundedProvider
from backends.keyring.keyring import Keyring
from backends.provider import KeyWrapper

_KEYS = "STRONGROOM_KEYS"
_ESCROW_KEYS = "STRONGROOM_ESCROW_KEYS"


@dataclass(frozen=True, slots=True)
class Entry:
    """One provider, and where it is listed.

    Attributes:
        setting: Such as ``STRONGROOM_KEYS (entry 1)``.
        role: ``wraps`` for the first, ``unwraps`` for the others, ``escrow``.
    """

    setting: str
    role: str
    member: BoundedProvider[KeyWrapper]

    def says(self, text: str) -> str:
        """A sentence about it that begins with its setting."""
        return text if text.startswith(self.setting) else f"{self.setting}: {text}"


def entries(keyring: Keyring) -> Iterator[Entry]:
    """Every entry, in the order of the settings."""
    places = {_KEYS: 0, _ESCROW_KEYS: 0}
    for role, member in keyring.members():
        setting = _ESCROW_KEYS if role == "escrow" else _KEYS
        places[setting] += 1
        yield Entry(f"{setting} (entry {places[setting]})", role, member)


def wrapping_entries(keyring: Keyring) -> dict[str, Entry]:
    """The first provider and every escrow key, by the key_ref that new wrappings get.

    Raises:
        KeyUnavailable: One of them cannot tell it; names the setting.
    """
    wrapping = {}
    for entry in entries(keyring):
        if entry.role == "unwraps":
            continue
        status = entry.member.status()
        if status.key_ref is None:
            raise KeyUnavailable(entry.says(f"cannot tell its current key: {status.detail}"))
        wrapping[status.key_ref] = entry
    return wrapping
