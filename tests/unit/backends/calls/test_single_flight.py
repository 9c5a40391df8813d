"""Threads that want the same at the same time share one call, and its failure."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from backends.calls.request_deadline import request_deadline
from backends.calls.single_flight import SingleFlight
from backends.errors import KeyUnavailable
from backends.keyring.bulkhead import Bulkhead

DEADLINE = 10
FOLLOWERS = 4


class Work:
    """Ends when the test lets it; counts."""

    def __init__(self, end: Callable[[], str]) -> None:
        self._end = end
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(DEADLINE)
        return self._end()


def fail() -> str:
    raise KeyUnavailable("The provider is down.")


class Room(Bulkhead):
    """Tells when everybody is in."""

    def __init__(self) -> None:
        super().__init__(None)
        self.entered = threading.Semaphore(0)

    @contextmanager
    def slot(self) -> Iterator[None]:
        self.entered.release()
        with super().slot():
            yield


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def flights(room: Room) -> SingleFlight[str, str]:
    return SingleFlight(room)


def all_at_once(flights: SingleFlight[str, str], room: Room, work: Work) -> list[Future[str]]:
    """The results of a leader and its waiters."""
    with ThreadPoolExecutor(1 + FOLLOWERS) as pool:
        shared = [pool.submit(flights.share, "name", work) for _ in range(1 + FOLLOWERS)]
        for _ in range(FOLLOWERS):
            assert room.entered.acquire(timeout=DEADLINE)
        work.go_on.set()
    return shared


def test_one_call_serves_all(flights: SingleFlight[str, str], room: Room) -> None:
    work = Work(lambda: "answer")
    shared = all_at_once(flights, room, work)
    assert [each.result() for each in shared] == ["answer"] * (1 + FOLLOWERS)
    assert work.calls == 1


def test_its_failure_is_that_of_all(flights: SingleFlight[str, str], room: Room) -> None:
    work = Work(fail)
    shared = all_at_once(flights, room, work)
    assert {type(each.exception()) for each in shared} == {KeyUnavailable}
    assert work.calls == 1


@pytest.mark.parametrize("end", [lambda: "answer", fail])
def test_nothing_is_kept(
    flights: SingleFlight[str, str], room: Room, end: Callable[[], str]
) -> None:
    all_at_once(flights, room, Work(end))
    assert flights.share("name", lambda: "a later answer") == "a later answer"


def test_other_names_do_not_wait(flights: SingleFlight[str, str]) -> None:
    work = Work(lambda: "answer")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(flights.share, "name", work)
        assert work.begun.wait(DEADLINE)
        assert flights.share("another", lambda: "its own") == "its own"
        work.go_on.set()


def test_who_waits_gives_up_at_the_deadline(flights: SingleFlight[str, str]) -> None:
    work = Work(lambda: "answer")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(flights.share, "name", work)
        assert work.begun.wait(DEADLINE)
        with request_deadline(0.01), pytest.raises(KeyUnavailable, match="in time"):
            flights.share("name", work)
        work.go_on.set()
