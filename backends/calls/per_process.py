"""Objects that belong to one process: built on first use, and never shared across a fork."""

import os
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Builds something once in each process, when it is first asked for; for many threads.

    A child begins without it, and without its parent's lock, which another thread may have taken.

    Args:
        build: Makes it. What it raises goes to the caller, and the next caller tries again.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._of_process: dict[int, _Slot[T]] = {}

    def get(self) -> T:
        """The one of this process."""
        slot = self._slot()
        with slot.lock:
            if slot.built is None:
                slot.built = self._build()
            return slot.built

    def forget(self) -> T | None:
        """Let the next ``get`` build a new one. Returns the present one, if there is any."""
        slot = self._slot()
        built, slot.built = slot.built, None
        return built

    def _slot(self) -> "_Slot[T]":
        return self._of_process.setdefault(os.getpid(), _Slot())


class _Slot(Generic[T]):
    def __init__(self) -> None:
        self.lock = Lock()
        self.built: T | None = None
