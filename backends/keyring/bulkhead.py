"""How many threads wait for something slow at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from backends.calls.request_deadline import seconds_left
from backends.errors import KeyUnavailable

LONGEST_WAIT_SECONDS = 10.0
"""For another thread's answer, where no request's deadline comes first."""

PATIENCE_SECONDS = 0.25
"""How long threads queue for a place, from when whoever has waited longest came in."""


class Bulkhead:
    """Holds a bounded number of waiting threads, so that what need not wait is never starved.

    While waits are short, as with a healthy provider, a thread that finds every place taken queues
    for one. Once somebody has waited long in vain, nobody queues until somebody was served.

    Args:
        places: How many; ``None`` for no bound, where no wait is long.
        clock: Seconds that never go back.
    """

    def __init__(self, places: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = None if places is None else BoundedSemaphore(places)
        self._clock = clock
        self._lock = Lock()
        self._since: dict[object, float] = {}
        self._patient = True

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A place for the time of a ``with`` block.

        Raises:
            KeyUnavailable: All are taken.
        """
        if self._places is None:
            yield
            return
        if not self._places.acquire(timeout=seconds_left(self._patience())):
            raise KeyUnavailable("Too many requests wait for key providers.", retry_after=1)
        try:
            with self._visit():
                yield
        finally:
            self._places.release()

    def _patience(self) -> float:
        """Seconds for which it is worth to queue now."""
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
        waiters: Where these wait.
    """

    def __init__(self, waiters: Bulkhead) -> None:
        self._waiters = waiters
        self._lock = Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Take the turn for the time of a ``with`` block, if no other thread has it.

        Raises:
            KeyUnavailable: Another one does.
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
                if not self._lock.acquire(timeout=seconds_left(LONGEST_WAIT_SECONDS)):
                    raise KeyUnavailable("Another thread takes too long to ask the key provider.")
        try:
            yield
        finally:
            self._lock.release()
