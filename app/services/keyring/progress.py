"""Progress of a sweep, and the pace that it keeps."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is.

    Attributes:
        done: Rows looked at.
        total: Rows to look at, as counted at the start.
        changed: Rows written, or that would be in a dry run.
        failed: Rows that could not be done; they stay as they were.
        seconds_left: Estimated from the pace so far; ``None`` at the start.
    """

    done: int
    total: int
    changed: int
    failed: int
    seconds_left: float | None


Report = Callable[[Progress], None]


class Pace:
    """Counts a sweep's rows, reports them, and holds it to a number of rows a second.

    Args:
        total: Rows to look at.
        rate: Rows a second at most; ``None`` for no bound.
        report: Told after each batch.
    """

    def __init__(
        self,
        total: int,
        rate: float | None,
        report: Report,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._total = total
        self._rate = rate
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._done = self._changed = self._failed = 0

    def step(self, *, done: int, changed: int, failed: int) -> None:
        """Count a batch, report, and wait until the bound allows the next."""
        self._done += done
        self._changed += changed
        self._failed += failed
        self._report(self.progress())
        if self._rate is not None:
            due = self._started + self._done / self._rate
            self._sleep(max(due - self._clock(), 0.0))

    def progress(self) -> Progress:
        """How far the sweep is."""
        left = max(self._total - self._done, 0)
        elapsed = self._clock() - self._started
        seconds_left = left * elapsed / self._done if self._done else None
        return Progress(self._done, self._total, self._changed, self._failed, seconds_left)
