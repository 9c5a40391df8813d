"""What belongs to one process: built on first use, and never shared across a fork."""

import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar
from weakref import WeakSet

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Builds something once in each process, when it is first asked for; for many threads.

    A child begins without it, and without its parent's lock, which another thread may have held.

    Args:
        build: Makes it. What it raises goes to the caller, and the next caller tries again.
    """

    _lock: Lock
    _built: T | None

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self.begin()
        _all.add(self)

    def get(self) -> T:
        """The one of this process."""
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built

    def forget(self) -> T | None:
        """Let the next ``get`` build anew; gives what there was."""
        built, self._built = self._built, None
        return built

    def begin(self) -> None:
        """Start with nothing, as a new process does."""
        self._lock = Lock()
        self._built = None


_all: WeakSet[PerProcess[Any]] = WeakSet()


def _begin_all() -> None:
    for each in _all:
        each.begin()


os.register_at_fork(after_in_child=_begin_all)
