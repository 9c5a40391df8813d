"""The fingerprint that distinguishes a deployment's system key from a planted one."""

from dataclasses import dataclass
from typing import Self

from backends.context import KeyContext
from backends.data_key import DataKey, key_check


@dataclass(frozen=True, slots=True)
class SystemKeyFingerprint:
    """Distinguishes a system key from every other one, and reveals nothing about it.

    Attributes:
        context: The system key's identity.
        check: Its ``key_check``, 32 bytes.
    """

    context: KeyContext
    check: bytes

    @classmethod
    def of(cls, key: DataKey, context: KeyContext) -> Self:
        """The fingerprint of an opened key."""
        return cls(context, key_check(key, context))

    @property
    def text(self) -> str:
        """64 hexadecimal digits, which stand for the identity too: the check is derived from it."""
        return self.check.hex()
