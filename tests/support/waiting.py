"""Waiting for what happens elsewhere: in another thread, another process, a server."""

import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.01


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Ask until it holds.

    Raises:
        TimeoutError: It does not hold within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come about in {seconds:.0f} s")
        time.sleep(_PAUSE_SECONDS)
