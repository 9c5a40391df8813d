"""Requests are counted in a sliding window, in bounded memory."""

from concurrent.futures import ThreadPoolExecutor

from app.rates.counts import CountsInMemory
from tests.unit.app.rates.conftest import Seconds


def admitted(counts: CountsInMemory, tries: int, *, limit: int = 10, name: str = "a") -> int:
    """How many of so many requests in a minute are admitted."""
    return sum(counts.acquire_sliding_window_entry(name, limit, 60) for _ in range(tries))


def test_exactly_the_limit_is_admitted_at_once(clock: Seconds) -> None:
    assert admitted(CountsInMemory(clock=clock), 25) == 10


def test_what_is_refused_does_not_count(clock: Seconds) -> None:
    counts = CountsInMemory(clock=clock)
    admitted(counts, 1000)
    clock.advance(120)
    assert admitted(counts, 25) == 10


def test_the_last_window_counts_for_the_part_that_is_still_covered(clock: Seconds) -> None:
    counts = CountsInMemory(clock=clock)
    admitted(counts, 10)
    clock.advance(60 + 30)
    assert admitted(counts, 25) == 5


def test_over_many_windows_no_more_than_the_limit_is_admitted(clock: Seconds) -> None:
    counts, total = CountsInMemory(clock=clock), 0
    for _ in range(600):  # ten minutes, one step a second
        total += admitted(counts, 3)
        clock.advance(1)
    assert 90 <= total <= 110


def test_names_do_not_count_for_each_other(clock: Seconds) -> None:
    counts = CountsInMemory(clock=clock)
    assert admitted(counts, 25, name="a") == 10
    assert admitted(counts, 25, name="b") == 10


def test_threads_together_get_no_more_than_the_limit() -> None:
    counts = CountsInMemory(clock=lambda: 0.0)
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(lambda _: admitted(counts, 50, limit=100), range(8)))
    assert total == 100


def test_memory_is_bounded_by_the_number_of_names(clock: Seconds) -> None:
    counts = CountsInMemory(max_names=100, clock=clock)
    for number in range(1000):
        admitted(counts, 1, name=str(number))
    assert len(counts) == 100


def test_a_name_in_use_is_not_forgotten_for_others(clock: Seconds) -> None:
    counts = CountsInMemory(max_names=100, clock=clock)
    total = 0
    for number in range(1000):
        admitted(counts, 1, name=str(number))
        total += admitted(counts, 1, name="in use")
    assert total == 10


def test_asking_for_a_name_stores_nothing(clock: Seconds) -> None:
    counts = CountsInMemory(clock=clock)
    assert counts.get_sliding_window("nobody", 60)[::2] == (0, 0)
    assert len(counts) == 0
