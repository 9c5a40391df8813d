"""The circuit breaker: refuses at once after failures in a row, and lets trials through."""

import pytest

from backends.errors import KeyUnavailable
from backends.keyring.circuit_breaker import CircuitBreaker


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock, failures=3, pause=3.0)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


def test_fewer_failures_than_the_limit_let_calls_through(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)

    breaker.admit()


def test_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    fail(breaker, 3)

    with pytest.raises(KeyUnavailable):
        breaker.admit()


def test_a_success_between_failures_keeps_it_closed(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)

    breaker.admit()


def test_after_the_pause_one_trial_goes_through(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 3.0

    breaker.admit()

    with pytest.raises(KeyUnavailable):
        breaker.admit()


def test_a_failed_trial_starts_the_pause_again(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 3.0
    breaker.admit()
    breaker.failed()
    clock.now += 2.9

    with pytest.raises(KeyUnavailable):
        breaker.admit()


def test_a_successful_trial_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 3.0
    breaker.admit()
    breaker.succeeded()

    breaker.admit()
    breaker.admit()
