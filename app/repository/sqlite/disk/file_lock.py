"""A lock among processes: ``flock`` with a time limit, which it does not have."""

import fcntl
import os
import threading
from pathlib import Path

from app.repository.sqlite.disk.files import open_private


class FileLock:
    """Held by one process of this host; the system frees it when that process ends.

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
