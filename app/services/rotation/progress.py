"""Progress of a sweep, and the rate that it keeps to."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from app.domain.damage import DamagedRow
from app.services.keys.failure_reasons import FailureReason

NAMED_ROWS = 100
"""The number of damaged rows that are named."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a sweep.

    Attributes:
        done: Rows looked at.
        position: Rows that needed no work at the start, and those that were worked on since.
        total: Rows to look at, as counted at the start.
        changed: Rows written, or that would be in a dry run.
        reasons: The number of data keys that could not be done, by reason; they stay as they were.
        seconds_remaining: Estimated from the rows that were worked on; ``None`` before the first.
        unit: What the rows hold.
        damaged: The first 100 rows that were found damaged.
    """

    done: int
    position: int
    total: int
    changed: int
    reasons: Mapping[FailureReason, int]
    seconds_remaining: float | None
    unit: str = "data keys"
    damaged: tuple[DamagedRow, ...] = ()

    @property
    def failed(self) -> int:
        """The number of data keys that could not be done."""
        return sum(self.reasons.values())


Report = Callable[[Progress], None]


class RateLimiter:
    """Counts a sweep's rows, reports them, and limits how many are worked on in a second.

    Rows that need no work are not limited: reading them costs no provider and no writer anything.

    Args:
        total: Rows to look at.
        to_do: Those of them that need work; ``None`` for all.
        rate: The limit of rows a second; ``None`` for none.
        report: Called after each batch.
        unit: What the rows hold.
    """

    def __init__(
        self,
        total: int,
        rate: float | None,
        report: Report,
        *,
        to_do: int | None = None,
        unit: str = "data keys",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._total = total
        self._to_do = total if to_do is None else to_do
        self._rate = rate
        self._report = report
        self._unit = unit
        self._clock = clock
        self._sleep = sleep
        self._started = self._due = clock()
        self._done = self._worked = self._changed = 0
        self._reasons: Counter[FailureReason] = Counter()
        self._damaged: dict[DamagedRow, None] = {}

    @property
    def limit(self) -> int:
        """The largest batch within the rate: the rows of one second, or one row."""
        return sys.maxsize if self._rate is None else max(1, int(self._rate))

    def wait(self, rows: int) -> None:
        """Wait until the rate allows work on a batch of so many rows.

        Time that an earlier batch took too long is not made up for.
        """
        if self._rate is None or not rows:
            return
        self._sleep(max(self._due - self._clock(), 0.0))
        self._due = self._clock() + rows / self._rate

    def step(
        self,
        *,
        done: int,
        changed: int,
        reasons: Counter[FailureReason],
        damaged: Iterable[DamagedRow] = (),
        worked: int | None = None,
    ) -> None:
        """Count a batch that was looked at, and report.

        Args:
            worked: The rows that needed work; ``None`` for all of the batch.
        """
        self.note(damaged)
        self._done += done
        self._count_work(done if worked is None else worked)
        self._changed += changed
        self._reasons += reasons
        self._report(self.progress())

    def note(self, damaged: Iterable[DamagedRow]) -> None:
        """Name damaged rows with the progress."""
        for row in islice(damaged, NAMED_ROWS - len(self._damaged)):
            self._damaged[row] = None

    def _count_work(self, rows: int) -> None:
        if not self._worked and not rows:
            self._started = self._clock()  # passing over rows is no measure for work
        self._worked += rows

    def progress(self) -> Progress:
        """Return the progress of the sweep."""
        remaining = max(self._to_do - self._worked, 0) if self._done < self._total else 0
        elapsed = self._clock() - self._started
        return Progress(
            done=self._done,
            position=self._total - remaining,
            total=self._total,
            changed=self._changed,
            reasons=Counter(self._reasons),
            seconds_remaining=remaining * elapsed / self._worked if self._worked else None,
            unit=self._unit,
            damaged=tuple(self._damaged),
        )
