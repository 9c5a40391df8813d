"""What ends a wait for descriptors when a signal comes, also just before the wait begins."""

import os
import signal

_READ_BYTES = 4096


class Wakeup:
    """Has something to read after every signal that Python handles, until it is closed."""

    def __init__(self) -> None:
        self._signalled, self._signal = os.pipe()
        for end in (self._signalled, self._signal):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._signal, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """Where there is something to read when a signal came."""
        return self._signalled

    def clear(self) -> None:
        """Wait for the next signal; what handles the last has run."""
        os.read(self._signalled, _READ_BYTES)

    def close(self) -> None:
        """Hear of no signal any more."""
        signal.set_wakeup_fd(-1)
        os.close(self._signal)
        os.close(self._signalled)
