"""Results that are remembered, bounded in bytes: a bound on their number says nothing of memory."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Results of a pure function by its argument; beyond the bound the oldest are forgotten.

    A result that is found costs one lookup and no lock, since requests do little else.

    Args:
        max_bytes: The bound.

    Attributes:
        find: Returns the result for an argument, or ``None``.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._results: dict[K, V] = {}
        self._sizes: dict[K, int] = {}
        self._lock = Lock()
        self.find: Callable[[K], V | None] = self._results.get

    @property
    def bytes(self) -> int:
        """The size of all entries."""
        return self._bytes

    def keep(self, argument: K, result: V, size: int) -> None:
        """Remember a result, unless it alone is over the bound."""
        if size > self._max_bytes:
            return
        with self._lock:
            if argument in self._results:
                return
            self._results[argument] = result
            self._sizes[argument] = size
            self._bytes += size
            while self._bytes > self._max_bytes:
                oldest = next(iter(self._results))
                del self._results[oldest]
                self._bytes -= self._sizes.pop(oldest)
