"""The one writer's place, among the threads of this process and the processes on this host.

SQLite has one writer at a time. Those who wait in its own busy handler sleep for up to 100 ms and
overtake each other; waiting here first keeps the longest wait short (``docs/performance.md``).
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.repository.sql.sqlite.files import open_private

WAIT_S = 5.0
_POLL_S = 0.0005


class WriterPlace:
    """A lock among threads in front of a lock on a file beside the database.

    Args:
        path: The database file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._thread_lock = threading.Lock()
        self._file: int | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the writer for the time of a ``with`` block.

        Raises:
            StorageUnavailable: Others held the place for 5 s.
        """
        deadline = time.monotonic() + WAIT_S
        if not self._thread_lock.acquire(timeout=WAIT_S):
            raise StorageUnavailable
        try:
            file = self._lock_file(deadline)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    @contextmanager
    def if_free(self) -> Iterator[bool]:
        """Whether no thread of this process holds the place, which none takes meanwhile."""
        is_free = self._thread_lock.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._thread_lock.release()

    def close(self) -> None:
        """Close the file, without unlocking it for a process that shares it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock_file(self, deadline: float) -> int:
        try:
            if self._file is None:
                self._file = open_private(self._path)
            while not _try_lock(self._file):
                if time.monotonic() > deadline:
                    raise StorageUnavailable
                time.sleep(_POLL_S)
        except OSError:
            raise StorageUnavailable from None
        return self._file


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
