"""Counts the age of what this process remembers, however its clocks are set.

No clock of the system suffices alone. ``time.monotonic`` stands still while the machine sleeps.
``CLOCK_BOOTTIME`` does not, but it stands still while a hypervisor keeps the machine paused. The
wall clock is put right after that, and can be set to anything at any time.

So an age is the time since boot, plus every step that the wall clock takes forward. Nothing is
then remembered for longer than it was given. A step back changes nothing; one forward ends lives
early, which costs a reload.
"""

import time
from collections.abc import Callable
from functools import partial

Seconds = Callable[[], float]

_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_SLEW_SECONDS = 0.5  # a smaller difference is the clock being adjusted, not set


boot_seconds: Seconds = partial(time.clock_gettime, _BOOT_CLOCK)
"""Seconds since boot, sleep included where the system counts it; never goes back."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class AgeClock:
    """Seconds that never go back, and pass at least as fast as either clock says.

    It needs no lock, and so survives a fork: threads that see one step together store one result.

    Args:
        boot: Seconds since boot.
        wall_ms: The wall clock, in Unix milliseconds.
    """

    def __init__(
        self,
        boot: Seconds = boot_seconds,
        wall_ms: Callable[[], int] = _wall_ms,
    ) -> None:
        self._boot = boot
        self._wall_ms = wall_ms
        self._state = (wall_ms() / 1000 - boot(), 0.0)

    def __call__(self) -> float:
        """Now, in seconds from an arbitrary start."""
        boot = self._boot()
        offset, skipped = self._state
        step = self._wall_ms() / 1000 - boot - offset
        if abs(step) > _SLEW_SECONDS:
            skipped += max(step, 0.0)
            self._state = (offset + step, skipped)
        return boot + skipped

    def ms(self) -> int:
        """The same in milliseconds."""
        return round(self() * 1000)


age_seconds = AgeClock()
"""The clock of this process for every life that it counts itself."""
