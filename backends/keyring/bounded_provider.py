"""One provider of a keyring, so that its outage costs the keyring little.

A call of a remote provider runs in a thread of its own and is given up after 3 seconds or at the
request's deadline, whatever the vendor's library does; a member whose calls all hang refuses at
once. Where no request waits, as in a command, credentials are waited for before the call, and for
longer. A circuit breaker refuses at once while the provider is down. Health is asked for rarely: a
good answer holds for 20 seconds and a bad one for 3, because a probe costs money.
"""

import contextvars
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Generic, TypeVar

from backends.calls.daemon_thread import in_daemon_thread
from backends.calls.request_deadline import is_in_request, seconds_left
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring.circuit_breaker import CircuitBreaker
from backends.lifetime import boot_seconds
from backends.provider import KeyWrapper, ProviderStatus

CALL_SECONDS = 3.0
PREPARE_SECONDS = 30.0
GOOD_STATUS_SECONDS = 20.0
BAD_STATUS_SECONDS = 3.0

Provider = TypeVar("Provider", bound=KeyWrapper, covariant=True)  # noqa: PLC0105 - a plain word
T = TypeVar("T")


class BoundedProvider(Generic[Provider]):
    """A provider with a time limit, a circuit breaker and a remembered health.

    Args:
        provider: Whom the calls are for.
        concurrency: How many calls of a remote provider may run at once, beside its status.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        concurrency: int,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self.provider = provider
        self._clock = clock
        self._breaker = CircuitBreaker(clock)
        self._slots = threading.BoundedSemaphore(concurrency)
        self._status_slot = threading.BoundedSemaphore(1)
        self._status = ProviderStatus(
            healthy=False, key_ref=None, detail="The key provider was not yet heard from."
        )
        self._status_until = -math.inf
        self._status_lock = threading.Lock()
        self._no_wait_before = -math.inf

    def call(self, work: Callable[[], T], *, seconds: float = CALL_SECONDS) -> T:
        """Run one call of the provider.

        Args:
            work: The call.
            seconds: After how many it is given up, if the request's deadline is not earlier.

        Raises:
            KeyUnavailable: It is down or too slow, or was so until a moment ago.
            KeyProviderError: What the provider raised.
        """
        if seconds_left(seconds) <= 0:
            raise KeyUnavailable("No time is left to ask the key provider.")
        self._breaker.admit()
        try:
            answer = self._run(work, seconds, self._slots)
        except KeyUnavailable:
            self._breaker.failed()
            raise
        except KeyProviderError:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer

    def status(self) -> ProviderStatus:
        """The provider's own word, at most 20 seconds old, or 3 when it was not healthy.

        One thread asks a remote provider. The others are not held up meanwhile, for anybody may ask
        a server whether it is ready: they get the answer of before, or that there is none yet.
        """
        if self._status_lock.acquire(blocking=not self.provider.remote):
            try:
                self._refresh_status()
            finally:
                self._status_lock.release()
        return self._status

    def close(self) -> None:
        """Let go of the provider; a call that hangs is not waited for."""
        self.provider.close()

    def _refresh_status(self) -> None:
        if self._clock() < self._status_until:
            return
        self._status = self._ask_status()
        held = GOOD_STATUS_SECONDS if self._status.healthy else BAD_STATUS_SECONDS
        self._status_until = self._clock() + held

    def _ask_status(self) -> ProviderStatus:
        try:
            return self._run(self.provider.status, CALL_SECONDS, self._status_slot)
        except KeyUnavailable as error:
            return ProviderStatus(healthy=False, key_ref=None, detail=str(error))

    def _run(self, work: Callable[[], T], seconds: float, slots: threading.BoundedSemaphore) -> T:
        if not self.provider.remote:
            return work()
        self._prepare()
        future = self._submit(work, slots)
        try:
            return future.result(seconds_left(seconds))
        except FutureTimeout:
            raise KeyUnavailable("The key provider did not answer in time.") from None

    def _prepare(self) -> None:
        """Wait for credentials where no request waits.

        Where it came to nothing, the next calls do not wait: each of a command would as long.
        """
        if is_in_request() or self._clock() < self._no_wait_before:
            return
        if not self.provider.prepare(PREPARE_SECONDS):
            self._no_wait_before = self._clock() + PREPARE_SECONDS

    def _submit(self, work: Callable[[], T], slots: threading.BoundedSemaphore) -> Future[T]:
        if not slots.acquire(blocking=False):
            raise KeyUnavailable("Too many calls of the key provider are under way.")

        def run() -> T:
            try:
                return work()
            finally:
                slots.release()  # before the caller, who may call again, has the answer

        try:
            context = contextvars.copy_context()
            return in_daemon_thread(lambda: context.run(run), self.provider.scheme)
        except KeyUnavailable:
            slots.release()
            raise
