"""Bounds the threads that wait for something slow at once.

A slow provider must not take every thread of the server, or requests that need no provider starve.
So a thread takes a slot before it waits, and there are few slots.

A thread that finds every slot taken queues for a moment, which is right while waits are short: the
next slot is soon free. Once one thread has waited long, queueing is of no use, and further threads
are refused at once. They queue again after a wait that ended well.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import BoundedSemaphore, Lock

from backends.calls.request_deadline import seconds_remaining
from backends.errors import KeyUnavailable

LONGEST_WAIT_SECONDS = 10.0
"""Limit of the wait for another thread's result, where no request's deadline comes first."""

PATIENCE_SECONDS = 0.25
"""Limit of queueing for a slot, counted from when the thread that waits longest took its own."""


class Bulkhead:
    """Slots for waiting threads.

    Args:
        slots: The limit of threads; ``None`` for no limit, where no wait is long.
        clock: Seconds that never go back.
    """

    def __init__(self, slots: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = None if slots is None else BoundedSemaphore(slots)
        self._clock = clock
        self._lock = Lock()
        self._since: dict[object, float] = {}
        self._patient = True

    def slot(self) -> AbstractContextManager[None]:
        """Take a slot for the time of a ``with`` block.

        Raises:
            KeyUnavailable: All are taken.
        """
        return nullcontext() if self._slots is None else self._take(self._slots)

    @contextmanager
    def _take(self, slots: BoundedSemaphore) -> Iterator[None]:
        if not slots.acquire(timeout=seconds_remaining(self._patience())):
            raise KeyUnavailable("Too many requests wait for key providers.", retry_after=1)
        try:
            with self._visit():
                yield
        finally:
            slots.release()

    def _patience(self) -> float:
        """Seconds for which queueing is worthwhile now."""
        with self._lock:
            longest = self._clock() - min(self._since.values(), default=self._clock())
            return max(PATIENCE_SECONDS - longest, 0.0) if self._patient else 0.0

    @contextmanager
    def _visit(self) -> Iterator[None]:
        visit, entered = object(), self._clock()
        with self._lock:
            self._since[visit] = entered
        served = False
        try:
            yield
            served = True
        finally:
            with self._lock:
                del self._since[visit]
                soon = self._clock() - entered <= PATIENCE_SECONDS
                self._patient = served or (self._patient and soon)


class Turn:
    """Lets one thread at a time ask providers for something, and a few others wait for it.

    Args:
        waiters: Bounds the others.
    """

    def __init__(self, waiters: Bulkhead) -> None:
        self._waiters = waiters
        self._lock = Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Take the turn for the time of a ``with`` block, if no other thread has it.

        Raises:
            KeyUnavailable: Another thread has it.
        """
        if not self._lock.acquire(blocking=False):
            raise KeyUnavailable("Another thread is asking the key provider.")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def wait(self) -> Iterator[None]:
        """The same, after a wait where another thread has it.

        Raises:
            KeyUnavailable: It takes too long, or too many wait.
        """
        if not self._lock.acquire(blocking=False):
            with self._waiters.slot():
                if not self._lock.acquire(timeout=seconds_remaining(LONGEST_WAIT_SECONDS)):
                    raise KeyUnavailable("Another thread takes too long to ask the key provider.")
        try:
            yield
        finally:
            self._lock.release()
