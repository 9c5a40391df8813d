"""The one writer's place, among the threads of this process and the processes on this host.

SQLite has one writer at a time. Those who wait in its own busy handler sleep for up to 100 ms and
overtake each other; waiting here first, in order, keeps the longest wait short (``docs/adr/0006``).
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.domain.operations.system_errors import name_of
from app.repository.sqlite.disk.file_lock import FileLock

WAIT_S = 5.0
BUSY = "Other writers used the database for too long."


class FairLock:
    """Like ``threading.Lock``, which lets a thread that just released it overtake all who wait."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_held = False
        self._turns: deque[threading.Lock] = deque()

    def acquire(self, timeout_s: float) -> bool:
        """Acquire it. Returns False if it does not come in time; 0 does not wait."""
        with self._mutex:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._turns.append(turn)
        return turn.acquire(timeout=max(timeout_s, 0)) or not self._give_up(turn)

    def pass_on(self) -> bool:
        """Pass it to who has waited longest, and return True. Return False if nobody waits."""
        with self._mutex:
            return self._pass_on()

    def release(self) -> None:
        """Pass it to who has waited longest, or free it."""
        with self._mutex:
            self._is_held = self._pass_on()

    def _pass_on(self) -> bool:
        if self._turns:
            self._turns.popleft().release()
            return True
        return False

    def _give_up(self, turn: threading.Lock) -> bool:
        """Give the turn up. Returns False if it has come between the timeout and now."""
        with self._mutex:
            if turn not in self._turns:
                return False
            self._turns.remove(turn)
            return True


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
            StorageUnavailable: Others had the place for 5 s, or its file cannot be locked.
        """
        self.take(time.monotonic() + WAIT_S)
        try:
            yield
        finally:
            self.leave()

    def take(self, deadline: float) -> None:
        """Be the writer until ``leave``, which any thread may call.

        Raises:
            StorageUnavailable: Others had the place until ``deadline`` (on the clock of
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
        """Take the place from other threads of this process. Yields False if one of them has it."""
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
