"""Ends a wait for descriptors when a signal comes, also one just before the wait begins."""

import os
import signal

_READ_BYTES = 4096


class Wakeup:
    """A pipe that is readable after every signal with a Python handler."""

    def __init__(self) -> None:
        self._readable, self._written = os.pipe()
        for end in (self._readable, self._written):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._written, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a signal came."""
        return self._readable

    def clear(self) -> None:
        """Empty the pipe. The signals' handlers have run."""
        os.read(self._readable, _READ_BYTES)

    def close(self) -> None:
        """Stop listening for signals."""
        signal.set_wakeup_fd(-1)
        os.close(self._written)
        os.close(self._readable)
