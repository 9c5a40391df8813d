"""The sealed secrets of injections, for the next process that wants the same ones.

The statement that marks an injection redeemed compares every secret with its row, to the last byte.
So a secret that was replaced, deleted or edited is read again, whatever is in this cache.
"""

from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from app.domain.injections import Injection
from app.domain.secrets import SealedValue
from app.services.clock import Clock

MAX_BYTES = 8 * 1024 * 1024
TTL_MS = 300_000
_OVERHEAD_BYTES = 512  # of a secret's other columns, and of Python's objects

_Secrets = tuple[SealedValue, ...]


class _Entry(NamedTuple):
    secrets: _Secrets
    size: int


class SealedSecretCache:
    """The sealed secrets of injections: at most 8 MiB of them, each for at most five minutes.

    Args:
        clock: Milliseconds that never go back.
    """

    def __init__(self, clock: Clock) -> None:
        self._entries: TTLCache[tuple[str, str], _Entry, int] = TTLCache(
            MAX_BYTES, TTL_MS, clock, attrgetter("size")
        )
        self._lock = Lock()

    def find(self, injection: Injection) -> _Secrets | None:
        """The secrets that the injection names, as they were read once, or ``None``."""
        with self._lock:
            entry = self._entries.get((injection.account_id, injection.bound_secrets))
        return None if entry is None else entry.secrets

    def put(self, injection: Injection, secrets: _Secrets) -> None:
        """Cache the secrets of an injection, unless they take more than the cache."""
        named = injection.bound_secrets
        size = len(named) + sum(map(_size, secrets))
        if size <= MAX_BYTES:
            with self._lock:
                self._entries[injection.account_id, named] = _Entry(secrets, size)

    def drop(self, injection: Injection) -> None:
        """Forget the secrets of an injection."""
        with self._lock:
            self._entries.pop((injection.account_id, injection.bound_secrets), None)


def _size(secret: SealedValue) -> int:
    return len(secret.envelope) + len(secret.name) + _OVERHEAD_BYTES
