"""Counts that all workers and nodes share, in a Redis server; without it, each worker's own.

A limit protects the server from too many requests; it authenticates nobody. So a store that fails
costs no request: after a failure this process counts by itself for some seconds. A limit is then
looser, by as many workers as there are, and it still holds.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from limits.storage.redis import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.rates.counts import Counts, Window
from backends.lifetime import Seconds, boot_seconds

PAUSE_SECONDS = 5.0
"""The time for which this process counts by itself after a failure of the store."""

_TIMEOUT_SECONDS = 0.25  # of connecting, and of each answer
_PREFIX = "strongroom"

_LOG = logging.getLogger("strongroom.rates")

Store = RedisStorage
T = TypeVar("T")


def connect_store(url: str) -> Store:
    """Make the counts in the Redis server at ``url``. Nothing is opened yet."""
    return Store(
        url,
        key_prefix=_PREFIX,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
    )


def find_fault(store: Store) -> str | None:
    """Ask the store to count, and return the class of its failure if it cannot."""
    try:
        store.get_sliding_window("check", 1)
    except Exception as error:  # noqa: BLE001 - whatever it is, each worker counts by itself
        return type(error).__name__
    finally:
        store.storage.close()
    return None


class SharedCounts:
    """Counts in a store, and in memory while the store fails.

    Args:
        store: The store's counts.
        own: Those of this process.
        clock: Seconds that nobody can set.
    """

    def __init__(self, store: Counts, own: Counts, clock: Seconds = boot_seconds) -> None:
        self._store = store
        self._own = own
        self._clock = clock
        self._paused_until = float("-inf")

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int) -> bool:
        """Count a request, unless the last ``expiry`` seconds have had ``limit`` of them."""
        return self._of_either(
            lambda counts: counts.acquire_sliding_window_entry(key, limit, expiry)
        )

    def get_sliding_window(self, key: str, expiry: int) -> Window:
        """Return the counts of a name."""
        return self._of_either(lambda counts: counts.get_sliding_window(key, expiry))

    def _of_either(self, ask: Callable[[Counts], T]) -> T:
        if self._clock() < self._paused_until:
            return ask(self._own)
        try:
            return ask(self._store)
        except Exception as error:  # noqa: BLE001 - no failure of the store costs a request
            self._paused_until = self._clock() + PAUSE_SECONDS
            # The text of the error may hold the store's address.
            _LOG.warning("rate_limit_store_failed", extra={"exception": type(error).__name__})
            return ask(self._own)
