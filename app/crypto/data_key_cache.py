"""Unwrapped data keys kept for a short while, so that a value costs no provider call.

The cache is bounded in size and in time, belongs to one process and is empty after a fork. A
periodic task wipes what is over, so that nothing waits for the next access. It hands out private
copies, so that what it wipes at eviction is never in use; wiping is best effort. The record keys
that were derived from a data key go with it.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from cachetools import TTLCache
from cryptography.hazmat.primitives import constant_time

from app.crypto.opened_key import OpenedKey
from app.crypto.record_keys import RecordKeys, Room
from backends.calls.single_flight import wait_for
from backends.context import KeyContext
from backends.data_key import DataKey, key_check, verify_key
from backends.errors import DecryptionError
from backends.keyring.bulkhead import Bulkhead
from backends.lifetime import age_seconds


@dataclass(frozen=True, slots=True)
class _Entry:
    key: DataKey
    check: bytes
    record_keys: RecordKeys

    def wipe(self) -> None:
        self.key.wipe()
        self.record_keys.drop()


class _WipingCache(TTLCache[KeyContext, _Entry, float]):
    """Wipes what it lets go of."""

    def expire(self, time: float | None = None) -> list[tuple[KeyContext, _Entry]]:
        expired = super().expire(time)
        for _, entry in expired:
            entry.wipe()
        return expired

    def popitem(self) -> tuple[KeyContext, _Entry]:
        context, entry = super().popitem()
        entry.wipe()
        return context, entry

    def discard(self, context: KeyContext) -> None:
        entry = self.pop(context, None)
        if entry is not None:
            entry.wipe()


class DataKeyCache:
    """Data keys by their whole identity: deployment, account and data key.

    Args:
        max_keys: How many keys are kept; the least recently used goes first.
        ttl_seconds: How long a key is kept from when it was put in, however often it is used.
        clock: Seconds that never go back.
        waiters: Where threads wait for another thread's ``load``.

    Attributes:
        hits: How often a key was there.
        misses: How often one was loaded.
    """

    def __init__(
        self,
        *,
        max_keys: int,
        ttl_seconds: float,
        clock: Callable[[], float] = age_seconds,
        waiters: Bulkhead | None = None,
    ) -> None:
        self._max_keys = max_keys
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._waiters = waiters or Bulkhead(None)
        self._start_empty()

    @contextmanager
    def open(
        self, context: KeyContext, check: bytes, load: Callable[[], DataKey]
    ) -> Iterator[OpenedKey]:
        """Open a key for the time of a ``with`` block: a copy, wiped when the block ends.

        Threads that miss at once share one ``load``, and its error if it fails; an error is not
        kept. The caller has verified the row that it read, on a hit as on a miss.

        Args:
            context: The key's identity.
            check: The row's ``key_check``.
            load: Unwraps the key; the copy that it returns belongs to the cache.

        Raises:
            DecryptionError: The row's check is not that of the key.
            KeyUnavailable: Another thread's ``load`` takes too long, or too many wait for it.
            KeyProviderError: What ``load`` raised.
        """
        opened = self._open(context, check, load)
        try:
            yield opened
        finally:
            opened.key.wipe()

    def put(self, context: KeyContext, key: DataKey) -> None:
        """Keep a copy of a new key, once its row is committed."""
        check = key_check(key, context)
        with self._own_lock():
            self._store(context, key, check)

    def forget(self, context: KeyContext) -> None:
        """Drop a key, also one that is being loaded."""
        with self._own_lock():
            self._flights.pop(context, None)
            self._keys.discard(context)

    def expire(self) -> None:
        """Wipe the keys whose time is over."""
        with self._own_lock():
            self._keys.expire()

    def __len__(self) -> int:
        return len(self._keys)

    def clear(self) -> None:
        """Drop every key, also those that are being loaded."""
        with self._own_lock():
            self._flights.clear()
            for context in list(self._keys):
                self._keys.discard(context)
            self._keys.expire()

    def _open(self, context: KeyContext, check: bytes, load: Callable[[], DataKey]) -> OpenedKey:
        while True:
            with self._own_lock(), self._keys.timer:  # which reads the clock once
                self._keys.expire()
                entry = self._keys.get(context)
                if entry is not None:
                    if not constant_time.bytes_eq(entry.check, check):
                        raise DecryptionError
                    self.hits += 1
                    return OpenedKey(context, DataKey(entry.key), entry.record_keys)
                own: Future[None] = Future()
                flight = self._flights.setdefault(context, own)
            if flight is own:
                return OpenedKey(context, self._load(flight, context, check, load))
            with self._waiters.slot():
                wait_for(flight)

    def _load(
        self,
        flight: Future[None],
        context: KeyContext,
        check: bytes,
        load: Callable[[], DataKey],
    ) -> DataKey:
        try:
            key = load()
            verify_key(key, context, check)
        except BaseException as error:
            with self._own_lock():
                self._end(flight, context)
            flight.set_exception(error)
            raise
        with self._own_lock():
            self.misses += 1
            if self._end(flight, context):
                self._store(context, key, check)
        flight.set_result(None)
        return key

    def _end(self, flight: Future[None], context: KeyContext) -> bool:
        """End the flight. Returns False if the key was dropped meanwhile."""
        counts = self._flights.get(context) is flight
        if counts:
            del self._flights[context]
        return counts

    def _store(self, context: KeyContext, key: DataKey, check: bytes) -> None:
        self._keys.discard(context)
        self._keys[context] = _Entry(DataKey(key), check, RecordKeys(self._room))

    def _own_lock(self) -> Lock:
        """The lock of this process.

        A forked child starts empty: the lock that it inherits may be taken for ever, and what is
        being loaded may never come.
        """
        if os.getpid() != self._process:
            self._start_empty()
        return self._lock

    def _start_empty(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()
        self._room = Room()
        self.hits = self.misses = 0
        self._keys = _WipingCache(self._max_keys, self._ttl_seconds, self._clock)
        self._flights: dict[KeyContext, Future[None]] = {}
