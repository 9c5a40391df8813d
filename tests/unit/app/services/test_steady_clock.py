"""The time of the services, while the wall clock beneath it is set."""

import pytest

from app.services.clock import BELIEVED_MS, SteadyClock
from tests.support.deployment import Clock

HOUR = BELIEVED_MS // 1000
TEN_YEARS = 10 * 365 * 24 * HOUR
STEPS = [1, 59, 61, HOUR, TEN_YEARS]


@pytest.fixture
def machine() -> Clock:
    return Clock()


@pytest.fixture
def steady(machine: Clock) -> SteadyClock:
    """Of a process that has run for an hour."""
    steady = SteadyClock(machine, machine.boot)
    machine.advance(seconds=HOUR)
    steady.look()
    return steady


def test_it_tells_the_time(machine: Clock, steady: SteadyClock) -> None:
    machine.advance(seconds=30)
    assert steady.now_ms() == machine.now_ms
    assert steady.read()[1:] == (machine.now_ms, machine.now_ms)


@pytest.mark.parametrize("seconds", STEPS)
def test_it_goes_on_when_the_clock_is_set_back(
    machine: Clock, steady: SteadyClock, seconds: int
) -> None:
    before = machine.now_ms
    machine.set(seconds=-seconds)
    machine.advance(seconds=30)
    assert steady.now_ms() == before + 30_000
    assert steady.read()[1:] == (machine.now_ms, before + 30_000)


@pytest.mark.parametrize("seconds", STEPS)
def test_it_follows_when_the_clock_is_set_forward(
    machine: Clock, steady: SteadyClock, seconds: int
) -> None:
    before = machine.now_ms
    machine.set(seconds=seconds)
    assert steady.now_ms() == machine.now_ms
    assert steady.read()[1:] == (before, machine.now_ms)


@pytest.mark.parametrize("seconds", STEPS)
def test_a_wrong_moment_is_forgotten_at_once(
    machine: Clock, steady: SteadyClock, seconds: int
) -> None:
    for step in (seconds, -2 * seconds, seconds):
        machine.set(seconds=step)
        steady.look()
    assert steady.read()[1:] == (machine.now_ms, machine.now_ms)


@pytest.mark.parametrize("seconds", [-TEN_YEARS, -61, 61, TEN_YEARS])
def test_a_clock_that_has_held_for_an_hour_is_believed(
    machine: Clock, steady: SteadyClock, seconds: int
) -> None:
    machine.set(seconds=seconds)
    steady.look()
    machine.advance(seconds=HOUR)
    assert steady.now_ms() == machine.now_ms
    assert steady.read()[1:] == (machine.now_ms, machine.now_ms)


def test_a_clock_that_is_set_again_and_again_is_not_believed(
    machine: Clock, steady: SteadyClock
) -> None:
    before = machine.now_ms
    for step in range(1, 5):
        machine.set(seconds=-step)
        steady.look()
        machine.advance(seconds=HOUR - 1)
    assert steady.now_ms() == before + 4 * (HOUR - 1) * 1000


def test_a_new_process_follows_a_clock_that_is_set_back(machine: Clock) -> None:
    """It may have started with a clock that was wrong until then."""
    steady = SteadyClock(machine, machine.boot)
    machine.set(seconds=-TEN_YEARS)
    assert steady.now_ms() == machine.now_ms


def test_a_clock_that_is_adjusted_slowly_is_followed(machine: Clock, steady: SteadyClock) -> None:
    for _ in range(4000):
        machine.advance(seconds=1)
        machine.set(seconds=-0.0005)
        steady.look()
    _, earliest, latest = steady.read()
    assert latest - earliest < 10
