"""Calls on many items, a few at once, whose results arrive as they come.

The threads are daemons: a process that ends early does not wait for a server that is silent.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Generic, TypeVar

from app.client.redeem import Refused

CALLS_AT_ONCE = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class CallsAtOnce(Generic[_Item, _Result]):
    """Calls ``work`` on each item, `CALLS_AT_ONCE` at a time.

    Args:
        items: What to call it on, in this order.
        work: May raise `Refused`, which becomes the item's result. Another error ends all.
    """

    def __init__(self, items: Iterable[_Item], work: Callable[[_Item], _Result]) -> None:
        self._waiting = deque(items)
        self._work = work
        # Results as they come, and None from each thread as it ends.
        self._results: SimpleQueue[tuple[_Item, _Result | Exception] | None] = SimpleQueue()
        self._threads = 0

    def results(self) -> Iterator[tuple[_Item, _Result | Refused]]:
        """Start, and yield each item with its result, until all that were begun are done."""
        self._threads = min(CALLS_AT_ONCE, len(self._waiting))
        for _ in range(self._threads):
            Thread(target=self._call, daemon=True).start()
        yield from self._until(None)

    def stop(self) -> None:
        """Begin no further call, from any thread. The results of those that run still come."""
        self._waiting.clear()

    def late_results(self, seconds: float) -> Iterator[tuple[_Item, _Result | Refused]]:
        """Yield the results that come within so many seconds, after `results` was interrupted."""
        with suppress(Empty):
            yield from self._until(monotonic() + seconds)

    def _until(self, end: float | None) -> Iterator[tuple[_Item, _Result | Refused]]:
        while self._threads:
            each = self._results.get(timeout=None if end is None else max(0.0, end - monotonic()))
            if each is None:
                self._threads -= 1
                continue
            item, result = each
            if isinstance(result, Exception) and not isinstance(result, Refused):
                raise result
            yield item, result

    def _call(self) -> None:
        with suppress(IndexError):
            while True:
                item = self._waiting.popleft()
                self._results.put((item, self._result(item)))
        self._results.put(None)

    def _result(self, item: _Item) -> _Result | Exception:
        try:
            return self._work(item)
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            return error
