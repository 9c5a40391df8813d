"""How many threads wait for something slow at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from backends.errors import KeyUnavailable

LONGEST_WAIT_SECONDS = 10.0
"""For another thread's answer, where no request's deadline comes first."""


class WaitingRoom:
    """Holds a bounded number of waiting threads, so that what need not wait is never starved.

    Args:
        places: How many; ``None`` for no bound, where no wait is long.
    """

    def __init__(self, places: int | None) -> None:
        self._places = None if places is None else BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for the time of a ``with`` block.

        Raises:
            KeyUnavailable: All are taken.
        """
        if self._places is None:
            yield
            return
        if not self._places.acquire(blocking=False):
            raise KeyUnavailable("Too many requests wait for key providers.", retry_after=1)
        try:
            yield
        finally:
            self._places.release()
