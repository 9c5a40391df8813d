"""A member of a keyring: bounded in time, refused at once when down, asked rarely how it is."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from backends.calls.request_deadline import request_deadline
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyAccessDenied, KeyUnavailable
from backends.keyring.bounded_provider import BoundedWrapper
from backends.provider import KeyWrapper, ProviderStatus, WrappedKey

CONTEXT = KeyContext("dep", "acct", "dk")


class RemoteWrapper(KeyWrapper):
    """Wraps through whatever the test puts in the way."""

    scheme = "remote"

    def __init__(self) -> None:
        self.answer: Callable[[], None] = lambda: None
        self.healthy = True
        self.status_calls = 0
        self.before_status: Callable[[], None] = lambda: None

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        self.answer()
        return WrappedKey(self.scheme, "ref", b"blob")

    def status(self) -> ProviderStatus:
        self.status_calls += 1
        self.before_status()
        return ProviderStatus(healthy=self.healthy, key_ref="ref")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrapper() -> RemoteWrapper:
    return RemoteWrapper()


@pytest.fixture
def member(wrapper: RemoteWrapper, clock: Clock) -> Iterator[BoundedWrapper]:
    member = BoundedWrapper(wrapper, concurrency=2, clock=clock)
    yield member
    member.close()


@pytest.fixture
def hang(wrapper: RemoteWrapper) -> Iterator[threading.Event]:
    """Makes every call hang until the test lets it go."""
    released = threading.Event()
    wrapper.answer = lambda: void(released.wait(30))
    yield released
    released.set()


def void(_: object) -> None:
    return None


def wrap(member: BoundedWrapper) -> WrappedKey:
    return member.wrap(DataKey.random(), CONTEXT)


def refuse(error: Exception) -> Callable[[], None]:
    def answer() -> None:
        raise error

    return answer


def test_a_call_that_hangs_is_given_up_at_the_deadline(
    member: BoundedWrapper, hang: threading.Event
) -> None:
    with request_deadline(0.05), pytest.raises(KeyUnavailable, match="in time"):
        wrap(member)


def test_a_call_that_hangs_keeps_no_process_from_ending(
    member: BoundedWrapper, wrapper: RemoteWrapper
) -> None:
    threads: list[threading.Thread] = []
    wrapper.answer = lambda: threads.append(threading.current_thread())
    wrap(member)
    assert [each.daemon for each in threads] == [True]


def test_past_the_deadline_the_provider_is_not_asked(
    member: BoundedWrapper, wrapper: RemoteWrapper
) -> None:
    wrapper.answer = refuse(AssertionError("asked"))

    with request_deadline(0.0), pytest.raises(KeyUnavailable, match="No time"):
        wrap(member)


def test_hanging_calls_never_take_more_threads_than_allowed(
    member: BoundedWrapper, hang: threading.Event
) -> None:
    for _ in range(2):
        with request_deadline(0.05), pytest.raises(KeyUnavailable, match="in time"):
            wrap(member)

    with pytest.raises(KeyUnavailable, match="under way"):
        wrap(member)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_threads")
def test_a_call_that_follows_another_never_finds_its_thread_taken(wrapper: RemoteWrapper) -> None:
    with (
        closing(BoundedWrapper(wrapper, concurrency=8)) as member,
        ThreadPoolExecutor(8) as callers,
    ):

        def wrap_often(_: int) -> int:
            return sum(wrap(member).key_ref == "ref" for _ in range(500))

        assert list(callers.map(wrap_often, range(8))) == [500] * 8


def test_health_is_told_while_every_thread_is_busy(
    member: BoundedWrapper, hang: threading.Event
) -> None:
    for _ in range(2):
        with request_deadline(0.05), pytest.raises(KeyUnavailable, match="in time"):
            wrap(member)

    assert member.status().healthy


def test_an_outage_is_answered_at_once_without_asking_again(
    member: BoundedWrapper, wrapper: RemoteWrapper
) -> None:
    wrapper.answer = refuse(KeyUnavailable("down"))
    for _ in range(3):
        with pytest.raises(KeyUnavailable, match="down"):
            wrap(member)

    with pytest.raises(KeyUnavailable, match="several times"):
        wrap(member)


def test_a_refusal_is_an_answer_and_no_outage(
    member: BoundedWrapper, wrapper: RemoteWrapper
) -> None:
    wrapper.answer = refuse(KeyAccessDenied("denied"))
    for _ in range(4):
        with pytest.raises(KeyAccessDenied):
            wrap(member)


def test_after_an_outage_it_serves_again_by_itself(
    member: BoundedWrapper, wrapper: RemoteWrapper, clock: Clock
) -> None:
    wrapper.answer = refuse(KeyUnavailable("down"))
    for _ in range(3):
        with pytest.raises(KeyUnavailable):
            wrap(member)
    wrapper.answer = lambda: None
    clock.now += 3.0

    assert wrap(member).key_ref == "ref"
    assert wrap(member).key_ref == "ref"


@pytest.mark.parametrize(("healthy", "seconds"), [(True, 20.0), (False, 3.0)])
def test_health_is_remembered_for_a_while(
    member: BoundedWrapper,
    wrapper: RemoteWrapper,
    clock: Clock,
    healthy: bool,
    seconds: float,
) -> None:
    wrapper.healthy = healthy
    member.status()
    clock.now += seconds - 0.1
    member.status()
    assert wrapper.status_calls == 1

    clock.now += 0.1
    member.status()
    assert wrapper.status_calls == 2


@pytest.fixture
def asking(
    member: BoundedWrapper, wrapper: RemoteWrapper
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Has another thread ask for the health, with no answer before the block ends."""
    asked, released = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        assert released.wait(30)

    @contextmanager
    def asking() -> Iterator[None]:
        wrapper.before_status = hang
        thread = threading.Thread(target=member.status)
        thread.start()
        assert asked.wait(30)
        yield
        released.set()
        thread.join()

    yield asking
    released.set()


def test_who_asks_for_health_while_it_is_asked_for_gets_the_answer_of_before(
    member: BoundedWrapper,
    clock: Clock,
    asking: Callable[[], AbstractContextManager[None]],
) -> None:
    before = member.status()
    clock.now += 20.0
    with asking():
        assert member.status() is before
    assert member.status() is not before


def test_who_asks_for_health_before_there_is_an_answer_is_told_so(
    member: BoundedWrapper, asking: Callable[[], AbstractContextManager[None]]
) -> None:
    with asking():
        assert "not yet" in member.status().detail
        assert not member.status().healthy
    assert member.status().healthy
