"""Counts what the log says: one source for both, so that neither knows what the other does not.

Every request, redemption and fault is an event of the log already, with a closed list of fields.
A handler beside the one that writes counts them; whoever logs an event need not know of metrics.
"""

import logging
from collections.abc import Callable, Mapping

from app.observability.metrics.meters import (
    REDEMPTIONS,
    REFUSALS,
    REQUEST_SECONDS,
    REQUESTS,
    WARNINGS,
)

_OURS = "strongroom"


class EventCounter(logging.Handler):
    """Counts events, each by a few of its fields."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Take none: the metrics have their own."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Count one event."""
        try:
            count = _COUNTED.get(record.msg)
            if count is not None:
                count(record.__dict__)
            if record.levelno >= logging.WARNING:
                WARNINGS.labels(record.msg, record.levelname).inc()
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)


def count_events() -> None:
    """Count the events of this process from now on, also those that are too low to be written."""
    logger = logging.getLogger(_OURS)
    logger.addHandler(EventCounter())
    logger.setLevel(min(logger.level, logging.INFO))


def _request(fields: Mapping[str, object]) -> None:
    route, method = fields["route"] or "none", fields["method"] or "other"
    REQUESTS.labels(route, method, fields["status"]).inc()
    milliseconds = fields["duration_ms"]
    assert isinstance(milliseconds, float)  # noqa: S101 - of our own event
    REQUEST_SECONDS.labels(route, method).observe(milliseconds / 1000)
    if fields["code"] is not None:
        REFUSALS.labels(fields["code"]).inc()


def _redemption(outcome: str) -> Callable[[Mapping[str, object]], None]:
    counter = REDEMPTIONS.labels(outcome)
    return lambda _: counter.inc()


_COUNTED: Mapping[object, Callable[[Mapping[str, object]], None]] = {
    "request": _request,
    **{
        f"injection_{outcome}": _redemption(outcome)
        for outcome in ("redeemed", "repeated", "reused", "refused", "failed")
    },
}
