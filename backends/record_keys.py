"""Record keys that were derived and verified before, kept beside the data key that they are of.

Deriving is most of what opening an envelope takes, and a value is handed over again and again. What
is kept is found by all that it was derived from, and goes when its data key does.
"""

from collections.abc import Callable
from threading import Lock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MOST_OF_A_DATA_KEY = 256
"""As many as one injection may need (design, section 6)."""
MOST_OF_A_PROCESS = 8192
"""About 20 MiB of ciphers."""


class Room:
    """How many record keys all data keys of a process may keep together.

    Args:
        most: The bound.
    """

    def __init__(self, most: int = MOST_OF_A_PROCESS) -> None:
        self.left = most
        self.lock = Lock()


class RecordKeys:
    """The record keys of one data key, as ciphers, which do not show them.

    Args:
        room: Shared with the record keys of all other data keys.

    Attributes:
        find: Gives the cipher of an origin, if it was kept, or ``None``.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._ciphers: dict[bytes, AESGCM] = {}
        self._is_dropped = False
        self.find: Callable[[bytes], AESGCM | None] = self._ciphers.get

    def keep(self, origin: bytes, cipher: AESGCM) -> None:
        """Keep a cipher if there is room.

        Args:
            origin: The header and the context of the envelope, whose commitment was verified.
            cipher: What was derived from them.
        """
        with self._room.lock:
            is_full = self._room.left == 0 or len(self._ciphers) == MOST_OF_A_DATA_KEY
            if not is_full and not self._is_dropped and origin not in self._ciphers:
                self._ciphers[origin] = cipher
                self._room.left -= 1

    def drop(self) -> None:
        """Let go of all, and keep none any more."""
        with self._room.lock:
            self._room.left += len(self._ciphers)
            self._ciphers.clear()
            self._is_dropped = True
