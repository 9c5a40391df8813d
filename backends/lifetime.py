"""Counts how old something that this process remembers is, however its clocks are set.

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


class AgeClock:
    """Seconds that never go back, and pass at least as fast as either clock says.

    It needs no lock, and so survives a fork: threads that see one step together store one result.

    Args:
        boot: Seconds since boot.
        wall: Seconds by the wall clock.
    """

    def __init__(self, boot: Seconds = boot_seconds, wall: Seconds = time.time) -> None:
        self._boot = boot
        self._wall = wall
        self._state = (wall() - boot(), 0.0)

    def __call__(self) -> float:
        """Now, from an arbitrary start."""
        boot = self._boot()
        offset, skipped = self._state
        step = self._wall() - boot - offset
        if abs(step) > _SLEW_SECONDS:
            skipped += max(step, 0.0)
            self._state = (offset + step, skipped)
        return boot + skipped


age_seconds = AgeClock()
"""The clock of this process for every life that it counts itself."""
