"""A circuit breaker: after a few failures in a row, calls fail at once until a trial succeeds.

It is closed at first, and every call goes through. Three failures in a row open it. Open, it
refuses each call without asking the provider, but lets one trial through every 3 seconds. A trial
that the provider answers closes it; one that fails starts the next pause.
"""

import threading
from collections.abc import Callable

from backends.errors import KeyUnavailable


class CircuitBreaker:
    """Counts failures in a row; open, it lets one trial through each ``pause`` seconds.

    Args:
        clock: Seconds that never go back.
        failures: The number of failures in a row after which it opens.
        pause: Seconds for which it refuses before the next trial.
    """

    def __init__(
        self, clock: Callable[[], float], *, failures: int = 3, pause: float = 3.0
    ) -> None:
        self._clock = clock
        self._failures_to_open = failures
        self._pause = pause
        self._failures = 0
        self._next_trial = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """True if calls are refused, but for trials."""
        return self._failures >= self._failures_to_open

    def admit(self) -> None:
        """Let a call through, or refuse it at once.

        Raises:
            KeyUnavailable: The breaker is open, and the next trial is not due.
        """
        with self._lock:
            if not self.is_open:
                return
            now = self._clock()
            if now < self._next_trial:
                raise KeyUnavailable("The key provider failed several times in a row.")
            self._next_trial = now + self._pause

    def succeeded(self) -> None:
        """Close: the provider answered, even if it refused."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Count a failure: the provider did not answer."""
        with self._lock:
            self._failures += 1
            self._next_trial = self._clock() + self._pause
