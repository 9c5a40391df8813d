"""One call for all threads that want the same at the same time."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from threading import Lock
from typing import Generic, TypeVar

from backends.calls.request_deadline import seconds_remaining
from backends.errors import KeyUnavailable
from backends.keyring.bulkhead import LONGEST_WAIT_SECONDS, Bulkhead

Name = TypeVar("Name", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[Name, T]):
    """Shares the work of one thread with those that ask for it meanwhile. Nothing is cached.

    Args:
        waiters: Where these wait.
    """

    def __init__(self, waiters: Bulkhead) -> None:
        self._waiters = waiters
        self._lock = Lock()
        self._flights: dict[Name, Future[T]] = {}

    def share(self, name: Name, work: Callable[[], T]) -> T:
        """Return the result of ``work``, or of the thread that does it already.

        Raises:
            KeyUnavailable: Another thread takes too long, or too many wait for it.
            Exception: What ``work`` raised, in every thread that waited.
        """
        own: Future[T] = Future()
        with self._lock:
            flight = self._flights.setdefault(name, own)
        if flight is own:
            return self._fly(name, own, work)
        with self._waiters.slot():
            return wait_for(flight)

    def _fly(self, name: Name, flight: Future[T], work: Callable[[], T]) -> T:
        try:
            result = work()
        except BaseException as error:
            self._land(name)
            flight.set_exception(error)
            raise
        self._land(name)
        flight.set_result(result)
        return result

    def _land(self, name: Name) -> None:
        with self._lock:
            del self._flights[name]


def wait_for(flight: Future[T]) -> T:
    """Wait for the result of another thread's call.

    Raises:
        KeyUnavailable: It takes too long.
    """
    try:
        return flight.result(seconds_remaining(LONGEST_WAIT_SECONDS))
    except FutureTimeout:
        raise KeyUnavailable("The key provider did not answer in time.") from None
