"""Pauses after a failure, before another try."""

from threading import Lock

from app.services.clock import Clock

_LIMIT = 4096


class Pauses:
    """Equally long pauses by name, safe for threads. Beyond 4096 the oldest is forgotten.

    Args:
        clock: Milliseconds that never go back.
        milliseconds: The length of a pause.
    """

    def __init__(self, clock: Clock, milliseconds: int) -> None:
        self._clock = clock
        self._milliseconds = milliseconds
        self._until: dict[str, int] = {}
        self._lock = Lock()

    def begin(self, name: str) -> None:
        """Pause from now on."""
        with self._lock:
            self._until.pop(name, None)
            self._until[name] = self._clock() + self._milliseconds
            if len(self._until) > _LIMIT:
                del self._until[next(iter(self._until))]

    def lasts(self, name: str) -> bool:
        """Return whether its pause is not over."""
        return self._clock() < self._until.get(name, 0)
