"""Counts requests in sliding windows, in the memory of one process.

A window is as long as the period of a rate. Of each name two windows are counted: the current one,
and the one before it. A request is admitted if the current count, plus the part of the previous
count that the last period still covers, leaves room for it. So a name takes two numbers, however
many requests it makes. The shared store counts by the same rule.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import floor
from threading import Lock
from typing import Protocol

from backends.lifetime import Seconds, boot_seconds

MAX_NAMES = 20_000
"""The number of names that a process counts; about 5 MB."""

Window = tuple[int, float, int, float]
"""Previous count and the seconds for which it still counts; current count and its own seconds.

The last of them is the rest of the current window and one window more.
"""


class Counts(Protocol):
    """Counts requests; the names of the methods are those of the library ``limits``."""

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int) -> bool:
        """Count a request, unless the last ``expiry`` seconds have had ``limit`` of them."""

    def get_sliding_window(self, key: str, expiry: int) -> Window:
        """Return the counts of a name."""


@dataclass(slots=True)
class _Counted:
    started: float
    current: int = 0
    previous: int = 0

    def move_on(self, now: float, seconds: int) -> None:
        """Begin another window if the current one is over."""
        passed = floor((now - self.started) / seconds)
        if passed >= 1:
            self.previous = self.current if passed == 1 else 0
            self.current = 0
            self.started += passed * seconds

    def window(self, now: float, seconds: int) -> Window:
        remaining = self.started + seconds - now
        return self.previous, remaining, self.current, remaining + seconds


class CountsInMemory:
    """Counts of this process, safe for threads. Beyond the bound the longest unused is forgotten.

    That makes a limit looser, and refuses nobody. The memory storage of ``limits`` starts a thread
    for each hundredth of a second with requests, follows the wall clock, and has no bound.

    Args:
        max_names: The number of names.
        clock: Seconds that nobody can set.
    """

    def __init__(self, max_names: int = MAX_NAMES, clock: Seconds = boot_seconds) -> None:
        self._max_names = max_names
        self._clock = clock
        self._counted: OrderedDict[str, _Counted] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._counted)

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int) -> bool:
        """Count a request, unless the last ``expiry`` seconds have had ``limit`` of them."""
        now = self._clock()
        with self._lock:
            counted = self._counted.setdefault(key, _Counted(now))
            self._counted.move_to_end(key)
            counted.move_on(now, expiry)
            previous, remaining, current, _ = counted.window(now, expiry)
            is_admitted = floor(previous * remaining / expiry) + current < limit
            counted.current += is_admitted
            if len(self._counted) > self._max_names:
                self._counted.popitem(last=False)
        return is_admitted

    def get_sliding_window(self, key: str, expiry: int) -> Window:
        """Return the counts of a name."""
        now = self._clock()
        with self._lock:
            counted = self._counted.get(key, _Counted(now))
            counted.move_on(now, expiry)
            return counted.window(now, expiry)
