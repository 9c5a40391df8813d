"""Data keys in memory: 32 bytes that cannot print themselves, and keys derived from them."""

import os
from typing import NoReturn, SupportsIndex

from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backends.context import KeyContext
from backends.errors import DecryptionError

DATA_KEY_BYTES = 32

_CHECK_LABEL = b"strongroom/v1/data-key-check"


class DataKey(bytearray):
    """A data key, wiped in place when done with (best effort: Python may hold copies).

    Raises:
        DecryptionError: The bytes are not 32 long, so no provider of ours can have made them.
    """

    def __init__(self, source: bytes | bytearray | memoryview) -> None:
        if len(source) != DATA_KEY_BYTES:
            del source  # or this frame would show it in a traceback with locals
            raise DecryptionError
        super().__init__(source)

    @classmethod
    def random(cls) -> "DataKey":
        """A new key from the system's random source."""
        return cls(os.urandom(DATA_KEY_BYTES))

    def wipe(self) -> None:
        """Overwrite the key with zeros."""
        self[:] = bytes(DATA_KEY_BYTES)

    def __repr__(self) -> str:
        return "DataKey(<redacted>)"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a data key cannot be pickled or copied by protocol")


def derive(key: DataKey, label: bytes, context: bytes, length: int = 32) -> bytes:
    """Derive ``length`` bytes for one purpose: HKDF-SHA-256 over ``label | context``.

    No label begins another, so no label and context meet another pair.
    """
    return HKDF(SHA256(), length, salt=None, info=label + context).derive(key)


def key_check(key: DataKey, context: KeyContext) -> bytes:
    """The 32 bytes by which a data key is recognised, without telling anything about it."""
    return derive(key, _CHECK_LABEL, context.to_bytes())


def verify_key(key: DataKey, context: KeyContext, check: bytes) -> None:
    """Refuse a key that is not the one that ``check`` was made from.

    Raises:
        DecryptionError: It is another key.
    """
    if not constant_time.bytes_eq(key_check(key, context), check):
        raise DecryptionError
