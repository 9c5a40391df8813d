"""A queue of log lines, written by one thread, so a stalled reader of the log blocks no other.

A pipe whose reader has stalled takes 64 KiB and then blocks every writer. Here it blocks only the
thread. If the queue is full, lines are dropped and counted, and a line with the count
replaces them.
"""

import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Protocol

LIMIT_BYTES = 4 * 1024 * 1024
FLUSH_SECONDS = 2.0
_GATHER_SECONDS = 0.005  # waking for each line would cost the serving threads time
_AT_ONCE = select.PIPE_BUF  # a write of this size is not mixed with those of other processes


class Stream(Protocol):
    """Standard error, or a replacement."""

    def fileno(self) -> int:
        """Return the file descriptor."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Write what is buffered."""


class LogQueue:
    """Takes lines from any thread, in their order, and never waits.

    Attributes:
        stream: The lines are written to it.
        dropped_in_all: The number of lines that this process has dropped.

    Args:
        dropped: Makes the line with the number of dropped lines.
    """

    def __init__(self, stream: Stream, dropped: Callable[[int], str]) -> None:
        self.stream = stream
        self._describe_dropped = dropped
        self._reset()
        _OF_THIS_PROCESS.add(self)

    def put(self, line: str) -> None:
        """Add a line, without its end, or count it as dropped."""
        text = f"{line}\n".encode(errors="backslashreplace")
        with self._changed:
            if self._queued_bytes + len(text) > LIMIT_BYTES:
                self._dropped += 1
                self.dropped_in_all += 1
                return
            self._note_dropped()
            self._append(text)
            if self._thread is None:
                self._start_thread()
            elif self._is_waiting:
                self._changed.notify_all()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait for ``seconds`` until everything is written. Returns False if it is not."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._is_flushed = True
            self._changed.notify_all()
            return self._changed.wait_for(self._is_empty, deadline - time.monotonic())

    def _reset(self) -> None:
        """Empty the queue, also in a child: the parent writes what was queued before."""
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._queued_bytes = 0
        self._dropped = self.dropped_in_all = 0
        self._thread: threading.Thread | None = None
        self._is_waiting = False
        self._is_writing = False
        self._is_flushed = False

    def _is_empty(self) -> bool:
        return not self._lines and not self._is_writing and not self._dropped

    def _append(self, text: bytes) -> None:
        self._lines.append(text)
        self._queued_bytes += len(text)

    def _note_dropped(self) -> None:
        if self._dropped:
            self._append(f"{self._describe_dropped(self._dropped)}\n".encode())
            self._dropped = 0

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter ends, or the system has no thread left
            self._thread = None

    def _write_all(self) -> None:
        while True:
            pieces = self._take()
            self._write(pieces)
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _take(self) -> bytes:
        """Wait for lines; take as many as one write takes whole, or one longer line."""
        with self._changed:
            while not self._lines and not self._dropped:
                self._is_waiting = True
                self._is_flushed = False
                self._changed.wait()
                self._is_waiting = False
            if not self._is_flushed and self._queued_bytes < _AT_ONCE:
                self._changed.wait(_GATHER_SECONDS)
            if not self._lines:
                self._note_dropped()
            taken = [self._lines.popleft()]
            size = len(taken[0])
            while self._lines and size + len(self._lines[0]) <= _AT_ONCE:
                taken.append(self._lines.popleft())
                size += len(taken[-1])
            self._queued_bytes -= size
            self._is_writing = True
        return b"".join(taken)

    def _write(self, text: bytes) -> None:
        """Write ``text`` to the file itself: a buffered stream would lock out other threads."""
        try:
            number = self.stream.fileno()
        except (OSError, ValueError):
            self.stream.write(text.decode(errors="backslashreplace"))
            self.stream.flush()
            return
        while text:
            try:
                text = text[os.write(number, text) :]
            except BlockingIOError:  # another process made the shared file non-blocking
                writable = select.poll()
                writable.register(number, select.POLLOUT)
                writable.poll()
            except OSError:
                return  # there is no other place to log it


_OF_THIS_PROCESS: "weakref.WeakSet[LogQueue]" = weakref.WeakSet()


def _reset_all() -> None:
    for queue in list(_OF_THIS_PROCESS):
        queue._reset()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_reset_all)
