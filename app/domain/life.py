"""When the life of a row begins and ends, under clocks that differ and can be set.

A life that only has an end is longer than it was given once a clock goes back. So it has a
beginning as well, which may lie ahead by as much as two nodes may differ.
"""

CLOCK_TOLERANCE_MS = 60_000
"""By how much the clocks of two nodes may differ."""


def has_begun(since_ms: int, now_ms: int) -> bool:
    """Return True if ``since_ms`` is no further ahead than another node's clock may be."""
    return since_ms - CLOCK_TOLERANCE_MS <= now_ms


def is_within(since_ms: int, until_ms: int, now_ms: int) -> bool:
    """Return True if a lifetime from ``since_ms`` to ``until_ms`` has begun and is not over."""
    return has_begun(since_ms, now_ms) and now_ms < until_ms
