"""Record keys that were derived and verified before, cached beside their data key.

Deriving is most of what opening an envelope takes, and a value is handed over again and again. A
record key is found by everything that it was derived from, and is dropped with its data key.
"""

from collections.abc import Callable
from threading import Lock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIMIT_OF_A_DATA_KEY = 256
"""As many as one injection may need (design, section 6)."""
LIMIT_OF_A_PROCESS = 8192
"""About 20 MiB of ciphers."""


class Room:
    """Counts the record keys that all data keys of a process may still cache together."""

    def __init__(self, limit: int = LIMIT_OF_A_PROCESS) -> None:
        self.remaining = limit
        self.lock = Lock()


class RecordKeys:
    """The record keys of one data key, as ciphers, which do not show them.

    Args:
        room: Shared with the record keys of all other data keys.

    Attributes:
        find: Returns the cached cipher of an origin, or ``None``.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._ciphers: dict[bytes, AESGCM] = {}
        self._is_dropped = False
        self.find: Callable[[bytes], AESGCM | None] = self._ciphers.get

    def add(self, origin: bytes, cipher: AESGCM) -> None:
        """Cache a cipher if there is room.

        Args:
            origin: The header and the context of the envelope, whose commitment was verified.
            cipher: What was derived from them.
        """
        with self._room.lock:
            is_full = self._room.remaining == 0 or len(self._ciphers) == LIMIT_OF_A_DATA_KEY
            if not is_full and not self._is_dropped and origin not in self._ciphers:
                self._ciphers[origin] = cipher
                self._room.remaining -= 1

    def drop(self) -> None:
        """Drop all of them, and cache none from now on."""
        with self._room.lock:
            self._room.remaining += len(self._ciphers)
            self._ciphers.clear()
            self._is_dropped = True
