"""A pause ends by itself, and pauses never fill the memory."""

from app.services.keys.pauses import Pauses
from tests.support.deployment import Clock


def test_a_pause_ends_when_its_time_is_over() -> None:
    clock = Clock()
    pauses = Pauses(clock, 60_000)
    assert not pauses.lasts("a")
    pauses.begin("a")
    clock.advance(seconds=59.999)
    assert pauses.lasts("a")
    clock.advance(seconds=0.001)
    assert not pauses.lasts("a")


def test_a_pause_is_of_one_name() -> None:
    pauses = Pauses(Clock(), 60_000)
    pauses.begin("a")
    assert not pauses.lasts("b")


def test_a_pause_that_begins_anew_lasts_as_long() -> None:
    clock = Clock()
    pauses = Pauses(clock, 60_000)
    pauses.begin("a")
    clock.advance(seconds=59)
    pauses.begin("a")
    clock.advance(seconds=59)
    assert pauses.lasts("a")


def test_beyond_thousands_the_oldest_is_forgotten() -> None:
    pauses = Pauses(Clock(), 60_000)
    for number in range(5000):
        pauses.begin(str(number))
    assert len(pauses._until) == 4096
    assert pauses.lasts("4999")
    assert not pauses.lasts("0")
