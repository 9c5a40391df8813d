"""The time of the services, in Unix milliseconds, under a wall clock that anybody may set."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from backends.lifetime import Seconds, boot_seconds

Clock = Callable[[], int]

BELIEVED_MS = 60 * 60 * 1000
"""For how long a wall clock that was set must hold before it is believed alone."""

_SLEW_MS = 500  # a smaller difference is the clock being adjusted, not set
_LOOK_MS = 1000  # how often it is noted that it still stands there


class Reading(NamedTuple):
    """One reading of the clocks, in Unix milliseconds.

    Attributes:
        now_ms: Now, or later by what a proven clock was set back within the last hour.
        earliest_ms: The earliest time that it may be.
        latest_ms: The latest time that it may be.
    """

    now_ms: int
    earliest_ms: int
    latest_ms: int


def now_ms() -> int:
    """Now by the wall clock, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """The wall clock as it was seen; offsets are from the time since boot.

    Attributes:
        offset: Where it stood when it was seen.
        at: When that was, by the time since boot.
        stable: For how long it had stood there by then.
        believed: Where it stood for an hour, or else at the start.
        proven: Whether it was for an hour.
    """

    offset: int
    at: int
    stable: int
    believed: int
    proven: bool = False


def _followed(seen: _Seen, offset: int, since_boot: int) -> _Seen:
    """The same clock a moment later, adjusted a little at most."""
    stable = seen.stable + since_boot - seen.at
    is_believed = stable >= BELIEVED_MS
    return _Seen(
        offset,
        since_boot,
        stable,
        offset if is_believed else seen.believed,
        proven=seen.proven or is_believed,
    )


class SteadyClock:
    """Tells which time it is, and which it may be, while the wall clock was set a short while ago.

    A step is noticed beside the time since boot, which nobody can set. Until the wall clock has
    held for an hour, the time that it would show without the step counts as well:

    - Lives end by the later one. A clock set back prolongs none, and ends none early.
    - What cannot be undone waits until both agree: forgetting what a retry needs, and replacing
      data keys for their age.

    A process knows the steps that it saw, so it must ``look`` every few minutes. A process that
    has run for less than an hour follows a clock that is set back: it may have started with a
    wrong one. There is no lock: threads that look at once store the same.

    Args:
        wall: The wall clock, in Unix milliseconds.
        boot: Seconds since boot.
    """

    def __init__(self, wall: Clock = now_ms, boot: Seconds = boot_seconds) -> None:
        self._wall = wall
        self._boot = boot
        since_boot = round(boot() * 1000)
        offset = wall() - since_boot
        self._seen = _Seen(offset, since_boot, 0, offset)

    def now_ms(self) -> int:
        """Now, or later by what a proven clock was set back within the last hour."""
        since_boot, offset, seen = self._observe()
        return since_boot + (max(offset, seen.believed) if seen.proven else offset)

    def read(self) -> Reading:
        """Now, and the times that it may be."""
        since_boot, offset, seen = self._observe()
        latest = since_boot + max(offset, seen.believed)
        return Reading(
            now_ms=latest if seen.proven else since_boot + offset,
            earliest_ms=since_boot + min(offset, seen.believed),
            latest_ms=latest,
        )

    def look(self) -> None:
        """Look at the clocks, so that a step is known even if nobody asks for the time."""
        self._observe()

    def _observe(self) -> tuple[int, int, _Seen]:
        since_boot = round(self._boot() * 1000)
        offset = self._wall() - since_boot
        seen = self._seen
        if abs(offset - seen.offset) > _SLEW_MS:
            self._seen = seen = replace(seen, offset=offset, at=since_boot, stable=0)
        elif since_boot - seen.at >= _LOOK_MS:
            self._seen = seen = _followed(seen, offset, since_boot)
        return since_boot, offset, seen
