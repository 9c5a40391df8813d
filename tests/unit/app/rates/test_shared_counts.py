"""Workers share their counts in a Redis server, and none waits for it or fails with it."""

import logging
import os
import signal
import time
from collections.abc import Iterator

import pytest

from app.rates.connect import look_at_store, make_rate_limits
from app.rates.counts import Counts, CountsInMemory, Window
from app.rates.rate_limits import RateLimits
from app.rates.shared_counts import PAUSE_SECONDS, SharedCounts, Store, connect_store
from config import Settings, load
from tests.support.redis import RedisServer
from tests.unit.app.rates.conftest import Seconds
from tests.unit.app.rates.test_rate_limits import admits, wait_of

CANARY = "canary-5f1d"


class Failing:
    """A store that fails, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int) -> bool:
        self.asked += 1
        raise ConnectionError(CANARY)

    def get_sliding_window(self, key: str, expiry: int) -> Window:
        raise ConnectionError(CANARY)


@pytest.fixture
def store(server: RedisServer) -> Iterator[Store]:
    server.clear()
    store = connect_store(server.url)
    yield store
    store.storage.close()


def settings(url: str) -> Settings:
    return load({"STRONGROOM_RATE_LIMIT_KEY": "5/minute", "STRONGROOM_RATE_LIMIT_STORE": url})


def admitted(counts: Counts, tries: int) -> int:
    return sum(counts.acquire_sliding_window_entry("a", 10, 60) for _ in range(tries))


def test_two_workers_admit_the_limit_together(server: RedisServer) -> None:
    server.clear()
    workers = [make_rate_limits(settings(server.url)) for _ in range(2)]
    assert sum(admits(workers[number % 2]) for number in range(20)) == 5
    for worker in workers:
        worker.close()


def test_a_refusal_by_the_store_says_when_to_come_back(store: Store, clock: Seconds) -> None:
    class Minute:
        requests, seconds, period = 5, 60, "minute"

    limits = RateLimits(Minute(), None, SharedCounts(store, CountsInMemory(clock=clock)))
    while admits(limits):
        pass
    assert 1 <= wait_of(limits) <= 60


def test_the_store_forgets_what_is_over(store: Store, server: RedisServer) -> None:
    admitted(store, 3)
    (left,) = (store.storage.pttl(key) for key in store.storage.scan_iter())
    assert 0 < left <= 120_000


def test_while_the_store_is_down_each_worker_counts_by_itself(clock: Seconds) -> None:
    counts = SharedCounts(Failing(), CountsInMemory(clock=clock), clock)
    assert admitted(counts, 25) == 10


def test_a_store_that_failed_is_left_alone_for_a_while(clock: Seconds) -> None:
    store = Failing()
    counts = SharedCounts(store, CountsInMemory(clock=clock), clock)
    admitted(counts, 25)
    assert store.asked == 1
    clock.advance(PAUSE_SECONDS)
    admitted(counts, 25)
    assert store.asked == 2


def test_a_store_that_came_back_counts_again(server: RedisServer, clock: Seconds) -> None:
    store = connect_store(server.url)
    counts = SharedCounts(store, CountsInMemory(clock=clock), clock)
    server.stop()
    admitted(counts, 3)
    server.start()
    clock.advance(PAUSE_SECONDS)
    admitted(counts, 3)
    assert store.get_sliding_window("a", 60)[2] == 3
    store.storage.close()


def test_a_stopped_store_costs_one_wait_and_not_one_a_request(
    server: RedisServer, store: Store, clock: Seconds
) -> None:
    counts = SharedCounts(store, CountsInMemory(clock=clock), clock)
    admitted(counts, 1)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert admitted(counts, 100) == 10
        assert time.monotonic() - began < 10  # 100 waits of 0.25 s are 25 s
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_failure_is_logged_without_its_text(
    clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    counts = SharedCounts(Failing(), CountsInMemory(clock=clock), clock)
    with caplog.at_level(logging.DEBUG):
        admitted(counts, 1)
    (record,) = caplog.records
    assert (record.message, vars(record)["exception"]) == (
        "rate_limit_store_failed",
        "ConnectionError",
    )
    assert CANARY not in str(vars(record))


def test_a_check_warns_of_a_store_that_is_down_without_its_address() -> None:
    findings = look_at_store(settings(f"redis+unix:///nowhere/{CANARY}"))
    (warning,) = findings.warnings
    assert findings.ok
    assert warning.startswith("STRONGROOM_RATE_LIMIT_STORE: ")
    assert CANARY not in warning


def test_a_check_finds_nothing_wrong_with_a_store_that_counts(server: RedisServer) -> None:
    findings = look_at_store(settings(server.url))
    assert (findings.faults, findings.warnings) == ([], [])
