"""Sealed secrets that were read before, for the next process that wants the same.

The statement that marks a token finds whether they still stand as they were read, to the last byte.
So nothing is believed for being kept here: what was replaced, deleted or edited is read anew.
"""

from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from app.domain.injections import Injection
from app.domain.secrets import SealedValue
from app.services.clock import Clock

MOST_BYTES = 8 * 1024 * 1024
LONGEST_MS = 300_000
_OVERHEAD_BYTES = 512  # of a secret's other columns, and of Python's objects

_Secrets = tuple[SealedValue, ...]


class _Kept(NamedTuple):
    secrets: _Secrets
    size: int


class SealedSecretCache:
    """The sealed secrets of injections: at most 8 MiB of them, each for at most five minutes.

    Args:
        clock: Milliseconds that never go back.
    """

    def __init__(self, clock: Clock) -> None:
        self._kept: TTLCache[tuple[str, str], _Kept, int] = TTLCache(
            MOST_BYTES, LONGEST_MS, clock, attrgetter("size")
        )
        self._lock = Lock()

    def find(self, injection: Injection) -> _Secrets | None:
        """The secrets that the injection names, as they were once, or ``None``."""
        with self._lock:
            kept = self._kept.get(_name(injection))
        return None if kept is None else kept.secrets

    def keep(self, injection: Injection, secrets: _Secrets) -> None:
        """Keep what was read for an injection, unless it is too much."""
        size = len(injection.bound) + sum(map(_size, secrets))
        if size <= MOST_BYTES:
            with self._lock:
                self._kept[_name(injection)] = _Kept(secrets, size)

    def drop(self, injection: Injection) -> None:
        """Forget what was read for an injection."""
        with self._lock:
            self._kept.pop(_name(injection), None)


def _name(injection: Injection) -> tuple[str, str]:
    return injection.account_id, injection.bound


def _size(secret: SealedValue) -> int:
    return len(secret.envelope) + len(secret.name) + _OVERHEAD_BYTES
