"""Events of the log are counted by fields that no client chooses."""

import logging
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from app.observability.metrics.events import EventCounter, count_events


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("strongroom.of_a_test")
    counter = EventCounter()
    logger.setLevel(logging.INFO)
    logger.addHandler(counter)
    yield logger
    logger.removeHandler(counter)


@pytest.fixture
def ours() -> Iterator[logging.Logger]:
    """The logger of the application, as it was before when the test ends."""
    logger = logging.getLogger("strongroom")
    level, handlers = logger.level, list(logger.handlers)
    yield logger
    logger.setLevel(level)
    logger.handlers = handlers


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


REQUEST = {"route": "/a", "method": "GET", "status": 200, "duration_ms": 30.0, "code": None}


def test_a_request_is_counted_by_route_method_and_status(logger: logging.Logger) -> None:
    labels = {"route": "/a", "method": "GET", "status": "200"}
    before = count("strongroom_requests_total", **labels)
    logger.info("request", extra=REQUEST)
    assert count("strongroom_requests_total", **labels) == before + 1


def test_the_time_of_a_request_is_counted_in_seconds(logger: logging.Logger) -> None:
    labels = {"route": "/a", "method": "GET"}
    before = count("strongroom_request_seconds_sum", **labels)
    logger.info("request", extra=REQUEST)
    assert count("strongroom_request_seconds_sum", **labels) == pytest.approx(before + 0.03)


def test_a_path_without_route_is_no_label(logger: logging.Logger) -> None:
    labels = {"route": "none", "method": "other", "status": "404"}
    before = count("strongroom_requests_total", **labels)
    logger.info("request", extra=REQUEST | {"route": None, "method": None, "status": 404})
    assert count("strongroom_requests_total", **labels) == before + 1


def test_a_refusal_is_counted_by_its_code(logger: logging.Logger) -> None:
    before = count("strongroom_refusals_total", code="forbidden")
    logger.info("request", extra=REQUEST | {"status": 403, "code": "forbidden"})
    assert count("strongroom_refusals_total", code="forbidden") == before + 1


@pytest.mark.parametrize("outcome", ["redeemed", "repeated", "reused", "refused", "failed"])
def test_a_redemption_is_counted_by_its_outcome(logger: logging.Logger, outcome: str) -> None:
    before = count("strongroom_redemptions_total", outcome=outcome)
    logger.info("injection_" + outcome)  # noqa: G003 - the name of an event
    assert count("strongroom_redemptions_total", outcome=outcome) == before + 1


def test_a_warning_is_counted_by_its_event(logger: logging.Logger) -> None:
    labels = {"event": "row_damaged", "level": "WARNING"}
    before = count("strongroom_warnings_total", **labels)
    logger.warning("row_damaged", extra={"detail": "secrets"})
    assert count("strongroom_warnings_total", **labels) == before + 1


def test_events_are_counted_that_are_too_low_to_be_written(ours: logging.Logger) -> None:
    ours.setLevel(logging.ERROR)
    count_events()
    assert ours.isEnabledFor(logging.INFO)
