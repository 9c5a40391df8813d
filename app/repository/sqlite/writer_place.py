"""The one writer's place, among the threads of this process and the processes on this host.

SQLite has one writer at a time. Those who wait in its own busy handler sleep for up to 100 ms and
overtake each other; waiting here first, in order, keeps the longest wait short (``docs/adr/0006``).
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.domain.operations.system_errors import name_of
from app.repository.sqlite.disk.files import open_private

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


class FileLock:
    """``flock`` with a time limit, which it does not have.

    Held by one process of this host; the system frees it when that process ends.

    Used by one thread at a time.

    Args:
        path: The file, made where there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self, timeout_s: float) -> bool:
        """Acquire the lock. Returns False if it does not come within ``timeout_s`` seconds.

        Raises:
            OSError: The file cannot be made or locked.
        """
        if self._file is None:
            self._file = open_private(self._path)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._wait(self._file, timeout_s)
        return True

    def release(self) -> None:
        """Let the next process have it."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, without unlocking it for a process that shares it after a fork."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _wait(self, file: int, timeout_s: float) -> bool:
        # Polling instead would let the process that has the lock take it again and again.
        waiting = _Waiting(file)
        if waiting.is_done_within(timeout_s):
            return True
        self._file = None
        return False


class _Waiting:
    """A thread that waits for the lock, and closes the file if nobody wants it any more."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._is_decided = threading.Lock()
        self._is_locked = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def is_done_within(self, timeout_s: float) -> bool:
        """Return True if the lock came in time. Otherwise the file belongs to the thread."""
        return self._is_locked.wait(timeout_s) or not self._is_decided.acquire(blocking=False)

    def _run(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        if self._is_decided.acquire(blocking=False):
            self._is_locked.set()
        else:
            os.close(self._file)


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
