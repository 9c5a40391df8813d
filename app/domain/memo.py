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
        size: The size of an entry in bytes, the same whenever it is asked.

    Attributes:
        find: Returns the result for an argument, or ``None``.
    """

    def __init__(self, max_bytes: int, size: Callable[[K, V], int]) -> None:
        self._max_bytes = max_bytes
        self._size = size
        self._bytes = 0
        self._results: dict[K, V] = {}
        self._lock = Lock()
        self.find: Callable[[K], V | None] = self._results.get

    @property
    def bytes(self) -> int:
        """The size of all entries."""
        return self._bytes

    def keep(self, argument: K, result: V) -> None:
        """Remember a result, unless it alone is over the bound."""
        size = self._size(argument, result)
        if size > self._max_bytes:
            return
        with self._lock:
            if argument in self._results:
                return
            self._results[argument] = result
            self._bytes += size
            while self._bytes > self._max_bytes:
                oldest = next(iter(self._results))
                self._bytes -= self._size(oldest, self._results.pop(oldest))
