"""A few threads wait for what is slow; others queue for a moment while waits are short."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from backends.calls.request_deadline import request_deadline
from backends.errors import KeyUnavailable
from backends.keyring import bulkhead as waiting
from backends.keyring.bulkhead import Bulkhead, Turn

PATIENCE = 5.0  # more than a busy machine takes to refuse at once
DEADLINE = 10


class Clock:
    """Stands still unless the test moves it; tells when somebody looks at it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.looked_at = threading.Event()

    def __call__(self) -> float:
        self.looked_at.set()
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Bulkhead:
    """With one place."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", PATIENCE)
    return Bulkhead(1, clock)


def is_let_in(room: Bulkhead) -> bool:
    try:
        with room.slot():
            return True
    except KeyUnavailable:
        return False


def is_let_in_when_a_place_is_free(room: Bulkhead, clock: Clock) -> bool:
    with ThreadPoolExecutor(1) as pool:
        with room.slot():
            clock.looked_at.clear()
            queued = pool.submit(is_let_in, room)
            assert clock.looked_at.wait(DEADLINE)
        return queued.result(DEADLINE)


def is_refused_at_once(room: Bulkhead) -> bool:
    started = time.monotonic()
    return not is_let_in(room) and time.monotonic() - started < PATIENCE


def wait_in_vain(room: Bulkhead, clock: Clock, seconds: float) -> None:
    with suppress(KeyUnavailable), room.slot():
        clock.now += seconds
        raise KeyUnavailable("The provider is down.")


def test_who_finds_every_place_taken_gets_the_next_that_is_free(
    room: Bulkhead, clock: Clock
) -> None:
    assert is_let_in_when_a_place_is_free(room, clock)


def test_who_queues_in_vain_is_refused_and_told_when_to_come_again(
    room: Bulkhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.01)
    with room.slot(), pytest.raises(KeyUnavailable) as refused, room.slot():
        pass
    assert refused.value.retry_after == 1


def test_nobody_queues_behind_one_who_waits_long(room: Bulkhead, clock: Clock) -> None:
    with room.slot():
        clock.now += PATIENCE
        assert is_refused_at_once(room)


def test_nobody_queues_after_a_long_wait_in_vain(room: Bulkhead, clock: Clock) -> None:
    wait_in_vain(room, clock, PATIENCE + 1)
    with room.slot():
        assert is_refused_at_once(room)


def test_a_wait_that_failed_soon_does_not_bring_the_queue_back(
    room: Bulkhead, clock: Clock
) -> None:
    wait_in_vain(room, clock, PATIENCE + 1)
    wait_in_vain(room, clock, 0)
    with room.slot():
        assert is_refused_at_once(room)


@pytest.mark.parametrize("seconds", [0, PATIENCE + 1])
def test_who_is_served_brings_the_queue_back(room: Bulkhead, clock: Clock, seconds: float) -> None:
    wait_in_vain(room, clock, PATIENCE + 1)
    with room.slot():
        clock.now += seconds
    assert is_let_in_when_a_place_is_free(room, clock)


def test_nobody_queues_beyond_the_deadline_of_the_request(room: Bulkhead) -> None:
    with room.slot(), request_deadline(0):
        assert is_refused_at_once(room)


def test_one_thread_at_a_time_has_the_turn() -> None:
    turn = Turn(Bulkhead(None))
    with turn.take(), pytest.raises(KeyUnavailable), turn.take():
        pass


def test_the_turn_is_free_again_after_an_error() -> None:
    turn = Turn(Bulkhead(None))
    with pytest.raises(ZeroDivisionError), turn.wait():
        raise ZeroDivisionError
    with turn.take():
        pass


def test_a_turn_is_waited_for_within_the_requests_deadline() -> None:
    turn = Turn(Bulkhead(None))
    with (
        turn.take(),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(KeyUnavailable),
    ):
        pool.submit(wait_for_turn, turn).result()


def wait_for_turn(turn: Turn) -> None:
    with request_deadline(0.01), turn.wait():
        pass
