"""The lives of rows, under clocks that differ and can be set.

A life that only has an end grows longer once a clock goes back. So it has a beginning as well,
which may lie ahead by as much as two nodes may differ.
"""

CLOCK_TOLERANCE_MS = 60_000
"""The largest difference between the clocks of two nodes, in milliseconds."""


def has_begun(since_ms: int, now_ms: int) -> bool:
    """Return True if ``since_ms`` is no further ahead than another node's clock may be."""
    return since_ms - CLOCK_TOLERANCE_MS <= now_ms


def is_within(since_ms: int, until_ms: int, now_ms: int) -> bool:
    """Return True if a lifetime from ``since_ms`` to ``until_ms`` has begun and is not over."""
    return since_ms - CLOCK_TOLERANCE_MS <= now_ms < until_ms
