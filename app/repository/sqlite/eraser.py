"""Deleted ciphertext leaves the disk: the write-ahead log is emptied soon after a deletion.

``secure_delete`` overwrites what is deleted in the database's pages, but the pages as they were
stay in the log until it is truncated (https://www.sqlite.org/wal.html).
"""

import threading
from collections.abc import Callable

RETRY_S = 5.0


class Eraser:
    """Empties the log once, some time after deletions were reported to it.

    Args:
        truncate: Empties the log; whether it could. If not, it is called again 5 s later.
        delay_s: How long after the first of several deletions, in seconds.
    """

    def __init__(self, truncate: Callable[[], bool], delay_s: float) -> None:
        self._truncate = truncate
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def schedule(self) -> None:
        """Something was deleted."""
        with self._lock:
            if self._timer is None:
                self._start(self._delay_s)

    def finish(self) -> None:
        """Do now what is scheduled."""
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self._truncate()

    def _start(self, delay_s: float) -> None:
        self._timer = threading.Timer(delay_s, self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        with self._lock:
            self._timer = None
        if not self._truncate():
            with self._lock:
                if self._timer is None:
                    self._start(RETRY_S)
