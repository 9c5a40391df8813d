"""Ages of what a process remembers, under clocks that stop or are set."""

from collections.abc import Callable

import pytest

from backends.lifetime import AgeClock, age_seconds, boot_seconds

HOUR = 3600.0
TEN_YEARS = 10 * 365 * 24 * HOUR


class Machine:
    """A machine whose two clocks only the test moves."""

    def __init__(self) -> None:
        self.boot = 1_000.0
        self.wall = 1_800_000_000.0

    def run(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds

    def step(self, seconds: float) -> None:
        self.wall += seconds

    def clock(self) -> AgeClock:
        return AgeClock(lambda: self.boot, lambda: round(self.wall * 1000))


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_age_is_the_time_that_passes(machine: Machine) -> None:
    clock = machine.clock()
    began = clock()
    machine.run(30)
    assert clock() - began == pytest.approx(30)


@pytest.mark.parametrize("seconds", [1.5, 59, 61, HOUR, TEN_YEARS])
def test_a_wall_clock_set_back_makes_nothing_younger(machine: Machine, seconds: float) -> None:
    clock = machine.clock()
    began = clock()
    machine.step(-seconds)
    machine.run(30)
    assert clock() - began == pytest.approx(30)


@pytest.mark.parametrize("seconds", [1.5, 59, 61, HOUR, TEN_YEARS])
def test_a_wall_clock_set_forward_counts_as_time_that_passed(
    machine: Machine, seconds: float
) -> None:
    """So does a pause of the whole machine, once its wall clock was put right."""
    clock = machine.clock()
    began = clock()
    machine.step(seconds)
    assert clock() - began == pytest.approx(seconds, rel=1e-6)


@pytest.mark.parametrize("seconds", [-1.5, -HOUR, -TEN_YEARS, 1.5, HOUR, TEN_YEARS])
def test_what_begins_under_a_wrong_wall_clock_ends_in_time(
    machine: Machine, seconds: float
) -> None:
    clock = machine.clock()
    machine.step(seconds)
    began = clock()
    machine.step(-seconds)
    machine.run(300)
    assert clock() - began >= 300


def test_a_wall_clock_that_is_adjusted_slowly_is_not_set(machine: Machine) -> None:
    clock = machine.clock()
    began = clock()
    for _ in range(100):
        machine.run(1)
        machine.step(-0.0005)
    assert clock() - began == pytest.approx(100, abs=1)


def test_age_never_goes_back(machine: Machine) -> None:
    clock = machine.clock()
    seen = [clock()]
    for step in (5, -5, HOUR, -HOUR, TEN_YEARS, -TEN_YEARS, -TEN_YEARS):
        machine.step(step)
        seen.append(clock())
    assert seen == sorted(seen)


@pytest.mark.parametrize("clock", [boot_seconds, age_seconds])
def test_the_clocks_of_this_process_go_forward(clock: Callable[[], float]) -> None:
    first = clock()
    assert first > 0
    assert clock() >= first
