"""One moment at which everything that shares it must be done."""

import time


class Deadline:
    """A moment some seconds from now, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._moment = time.monotonic() + seconds

    def remaining(self) -> float:
        """Remaining seconds; 0 when it has passed."""
        return max(0.0, self._moment - time.monotonic())
