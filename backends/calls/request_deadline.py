"""One deadline for all provider calls of a request, wherever in its thread they are made."""

import time
from contextvars import ContextVar, Token

_moment: ContextVar[float | None] = ContextVar("request_deadline", default=None)


class request_deadline:  # noqa: N801 - used as contextlib's are
    """Within the block, provider calls may take ``seconds`` in all."""

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._token: Token[float | None] = _moment.set(time.monotonic() + self._seconds)

    def __exit__(self, *_: object) -> None:
        _moment.reset(self._token)


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
