"""One deadline for all provider calls of a request, wherever in its thread they are made."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_moment: ContextVar[float | None] = ContextVar("request_deadline", default=None)


@contextmanager
def request_deadline(seconds: float) -> Iterator[None]:
    """Within the block, provider calls may take ``seconds`` in all."""
    token = _moment.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _moment.reset(token)


def is_in_request() -> bool:
    """Return whether a deadline holds; in commands and in the background there is none."""
    return _moment.get() is not None


def seconds_remaining(at_most: float, *, grace: float = 0.0) -> float:
    """Seconds until the deadline, between 0 and ``at_most``; the latter where there is none.

    Args:
        grace: How many seconds later the deadline is for this.
    """
    moment = _moment.get()
    if moment is None:
        return at_most
    return min(max(moment + grace - time.monotonic(), 0.0), at_most)
