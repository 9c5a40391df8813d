"""Decorators of key providers: an outage of one costs the keyring little.

Every call of a provider goes through here. The result is the port again, so nobody needs to know
that a provider is bounded. The bounds:

- Time. A call of a remote provider runs in a thread of its own. It is given up after 3 seconds, or
  at the request's deadline if that is earlier, whatever the vendor's library does. A call for many
  items may take 2 minutes. Where no request waits, as in a command, the call waits for credentials
  first, and for longer.
- Threads. A provider whose calls all hang refuses the next one at once.
- A circuit breaker refuses at once while the provider is down.
- Health is cached: a good status for 20 seconds and a bad one for 3, because a probe costs money.

Items of a call for many that were throttled are asked for again after pauses.
"""

# ruff: noqa: D102 - the port says what its methods do

import contextvars
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from functools import partial
from time import sleep
from typing import TypeVar

from backends.calls.daemon_thread import in_daemon_thread
from backends.calls.request_deadline import is_in_request, seconds_remaining
from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring.circuit_breaker import CircuitBreaker
from backends.lifetime import boot_seconds
from backends.provider import (
    KeyItems,
    KeyProvider,
    KeyWrapper,
    ProviderStatus,
    WrappedItems,
    WrappedKey,
)

CALL_SECONDS = 3.0
BATCH_SECONDS = 120.0  # of 200: 0.6 s each where they are asked for one by one
PREPARE_SECONDS = 30.0
GOOD_STATUS_SECONDS = 20.0
BAD_STATUS_SECONDS = 3.0
THROTTLED_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds, or as long as the provider itself asks for

CallWatcher = Callable[[str, float, str], object]
"""Is given each call that ended: operation, seconds, and ``ok`` or the class of the error."""

Item = TypeVar("Item")
T = TypeVar("T")


class BoundedWrapper(KeyWrapper):
    """Bounds the calls of a provider that only wraps.

    Args:
        provider: The one that is asked.
        concurrency: How many calls of a remote provider may run at once, beside its status.
        clock: Seconds that never go back.

    Attributes:
        watcher: Is given each call that ended, if it is set.
    """

    _provider: KeyWrapper
    watcher: CallWatcher | None = None

    def __init__(
        self,
        provider: KeyWrapper,
        *,
        concurrency: int,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self.scheme = provider.scheme
        self.remote = provider.remote
        self._provider = provider
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

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        return self._call("wrap", partial(self._provider.wrap, key, context), CALL_SECONDS)

    def wrap_many(self, items: KeyItems) -> list[WrappedKey | KeyProviderError]:
        return self._call_many("wrap_many", self._provider.wrap_many, items)

    def owns(self, key_ref: str) -> bool:
        return self._provider.owns(key_ref)

    def root_of(self, key_ref: str) -> str:
        return self._provider.root_of(key_ref)

    def status(self) -> ProviderStatus:
        """Return the provider's status, at most 20 seconds old, or 3 if it was not healthy.

        One thread asks a remote provider. The others do not wait for it, for anybody may ask a
        server whether it is ready: they get the status of before, or that there is none yet.
        """
        if self._status_lock.acquire(blocking=not self.remote):
            try:
                if self._clock() >= self._status_until:
                    self._status = self._ask_status()
                    is_good = self._status.healthy
                    seconds = GOOD_STATUS_SECONDS if is_good else BAD_STATUS_SECONDS
                    self._status_until = self._clock() + seconds
            finally:
                self._status_lock.release()
        return self._status

    def refresh(self) -> None:
        self._provider.refresh()

    def prepare(self, seconds: float) -> bool:
        return self._provider.prepare(seconds)

    def close(self) -> None:
        """Close the provider; a call that hangs is not waited for."""
        self._provider.close()

    @property
    def is_refusing(self) -> bool:
        """True while the provider is asked for nothing but trials."""
        return self._breaker.is_open

    def _call(self, operation: str, work: Callable[[], T], seconds: float) -> T:
        """Run one call of the provider.

        Args:
            operation: Its name, for the watcher.
            work: The call.
            seconds: After how many it is given up, if the request's deadline is not earlier.

        Raises:
            KeyUnavailable: It is down or too slow, or was so until a moment ago.
            KeyProviderError: What the provider raised.
        """
        if seconds_remaining(seconds) <= 0:
            raise KeyUnavailable("No time is left to ask the key provider.")
        self._breaker.admit()
        with self._watched(operation):
            try:
                result = self._in_thread(work, seconds, self._slots) if self.remote else work()
            except KeyUnavailable:
                self._breaker.failed()
                raise
            except KeyProviderError:
                self._breaker.succeeded()
                raise
            self._breaker.succeeded()
        return result

    @contextmanager
    def _watched(self, operation: str) -> Iterator[None]:
        began = self._clock()
        outcome = "failed"
        try:
            yield
            outcome = "ok"
        except KeyProviderError as error:
            outcome = type(error).__name__
            raise
        finally:
            if self.watcher is not None:
                self.watcher(operation, self._clock() - began, outcome)

    def _call_many(
        self,
        operation: str,
        ask: Callable[[Sequence[Item]], list[T | KeyProviderError]],
        items: Sequence[Item],
    ) -> list[T | KeyProviderError]:
        """The results of a batch; throttled items are asked for again, after growing pauses."""
        results = self._call_once(operation, ask, items)
        for pause in THROTTLED_PAUSES:
            throttled: dict[int, int] = {}
            for place, result in enumerate(results):
                if isinstance(result, KeyUnavailable) and result.throttled:
                    throttled[place] = result.retry_after
            if not throttled:
                break
            sleep(max(pause, *throttled.values()))
            again = self._call_once(operation, ask, [items[place] for place in throttled])
            for place, result in zip(throttled, again, strict=True):
                results[place] = result
        return results

    def _call_once(
        self,
        operation: str,
        ask: Callable[[Sequence[Item]], list[T | KeyProviderError]],
        items: Sequence[Item],
    ) -> list[T | KeyProviderError]:
        """The results of a batch; where the whole call failed, its error for each item."""
        if not items:
            return []
        try:
            return self._call(operation, partial(ask, items), BATCH_SECONDS)
        except KeyProviderError as error:
            return [error] * len(items)

    def _ask_status(self) -> ProviderStatus:
        if not self.remote:
            return self._provider.status()
        try:
            return self._in_thread(self._provider.status, CALL_SECONDS, self._status_slot)
        except KeyUnavailable as error:
            return ProviderStatus(healthy=False, key_ref=None, detail=str(error))

    def _in_thread(
        self, work: Callable[[], T], seconds: float, slots: threading.BoundedSemaphore
    ) -> T:
        self._wait_for_credentials()
        future = self._submit(work, slots)
        try:
            return future.result(seconds_remaining(seconds))
        except FutureTimeout:
            raise KeyUnavailable("The key provider did not answer in time.") from None

    def _wait_for_credentials(self) -> None:
        """Wait for credentials where no request waits.

        Where it came to nothing, the next calls do not wait: each of a command would as long.
        """
        if is_in_request() or self._clock() < self._no_wait_before:
            return
        if not self._provider.prepare(PREPARE_SECONDS):
            self._no_wait_before = self._clock() + PREPARE_SECONDS

    def _submit(self, work: Callable[[], T], slots: threading.BoundedSemaphore) -> Future[T]:
        if not slots.acquire(blocking=False):
            raise KeyUnavailable("Too many calls of the key provider are under way.")

        def run() -> T:
            try:
                return work()
            finally:
                slots.release()  # before the caller, who may call again, has the result

        try:
            context = contextvars.copy_context()
            return in_daemon_thread(lambda: context.run(run), self.scheme)
        except KeyUnavailable:
            slots.release()
            raise


class BoundedProvider(BoundedWrapper, KeyProvider):
    """Bounds the calls of a provider that unwraps, too."""

    _provider: KeyProvider

    def __init__(
        self,
        provider: KeyProvider,
        *,
        concurrency: int,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        super().__init__(provider, concurrency=concurrency, clock=clock)

    def generate(self, context: KeyContext) -> tuple[DataKey, WrappedKey]:
        return self._call("generate", partial(self._provider.generate, context), CALL_SECONDS)

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        return self._call("unwrap", partial(self._provider.unwrap, wrapped, context), CALL_SECONDS)

    def unwrap_many(self, items: WrappedItems) -> list[DataKey | KeyProviderError]:
        return self._call_many("unwrap_many", self._provider.unwrap_many, items)

    def rewrap(self, wrapped: WrappedKey, context: KeyContext) -> WrappedKey:
        return self._call("rewrap", partial(self._provider.rewrap, wrapped, context), CALL_SECONDS)

    def rewrap_many(self, items: WrappedItems) -> list[WrappedKey | KeyProviderError]:
        return self._call_many("rewrap_many", self._provider.rewrap_many, items)


def bounded(provider: KeyWrapper, *, concurrency: int) -> BoundedWrapper:
    """Bound a provider of either kind; the kind stays."""
    if isinstance(provider, KeyProvider):
        return BoundedProvider(provider, concurrency=concurrency)
    return BoundedWrapper(provider, concurrency=concurrency)
