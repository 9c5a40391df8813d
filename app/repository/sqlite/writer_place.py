"""The one writer's place, among the threads of this process and the processes on this host.

SQLite has one writer at a time. Those who wait in its own busy handler sleep for up to 100 ms and
overtake each other; waiting here first, in order, keeps the longest wait short (``docs/adr/0006``).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.domain.operations.system_errors import name_of
from app.repository.sqlite.disk.file_lock import FileLock
from app.repository.sqlite.fair_lock import FairLock

WAIT_S = 5.0
BUSY = "Other writers held the database for too long."


class WriterPlace:
    """A lock among threads in front of a lock on a file beside the database.

    Args:
        path: The database file.
    """

    def __init__(self, path: Path) -> None:
        self._threads = FairLock()
        self._processes = FileLock(path.with_name(f"{path.name}.lock"))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the writer for the time of a ``with`` block.

        Raises:
            StorageUnavailable: Others held the place for 5 s, or its file cannot be locked.
        """
        self.take(time.monotonic() + WAIT_S)
        try:
            yield
        finally:
            self.leave()

    def take(self, deadline: float) -> None:
        """Be the writer until ``leave``, which any thread may call.

        Raises:
            StorageUnavailable: Others held the place until ``deadline`` (on the clock of
                ``time.monotonic``), or its file cannot be locked.
        """
        if not self._threads.acquire(deadline - time.monotonic()):
            raise StorageUnavailable(BUSY)
        try:
            self._lock_file(deadline)
        except BaseException:
            self._threads.release()
            raise

    def leave(self) -> None:
        """Let the next be the writer."""
        try:
            self._processes.release()
        finally:
            self._threads.release()

    @contextmanager
    def if_free(self) -> Iterator[bool]:
        """Whether no thread of this process holds the place, which none takes meanwhile."""
        is_free = self._threads.acquire(0)
        try:
            yield is_free
        finally:
            if is_free:
                self._threads.release()

    def close(self) -> None:
        """Close the file; the next holder opens it again."""
        self._processes.close()

    def _lock_file(self, deadline: float) -> None:
        try:
            cause = None if self._processes.acquire(deadline - time.monotonic()) else BUSY
        except OSError as error:
            cause = f"The database's lock file: {name_of(error)}"
        if cause is not None:
            raise StorageUnavailable(cause)
