"""The terminal from which a masked command was started."""

import contextlib
import os
import termios
import tty
from typing import Any


class UserTerminal:
    """The user's terminal: raw while we read from it, as it was while others do.

    A raw terminal passes every key on, Ctrl-C and Ctrl-Z too. The command's terminal handles them.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._usual: list[Any] | None = None

    @classmethod
    def find(cls) -> "UserTerminal | None":
        """Return the controlling terminal, or else the first standard stream that is a terminal."""
        with contextlib.suppress(OSError):
            return cls(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
        for descriptor in filter(os.isatty, range(3)):
            return cls(os.dup(descriptor))
        return None

    def is_ours(self) -> bool:
        """Return True if our process group may read from it."""
        try:
            return os.tcgetpgrp(self.descriptor) == os.getpgrp()
        except OSError:  # not a controlling terminal: there is no job control
            return True

    def open_alike(self) -> tuple[int, int]:
        """Open a pseudo-terminal with our settings and size. Returns our end and the command's."""
        outer, inner = os.openpty()
        termios.tcsetattr(inner, termios.TCSANOW, termios.tcgetattr(self.descriptor))
        self.copy_size(inner)
        return outer, inner

    def copy_size(self, terminal: int) -> None:
        """Copy our size to the command's terminal. Its programs get a SIGWINCH."""
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetwinsize(terminal, termios.tcgetwinsize(self.descriptor))

    def make_raw(self) -> None:
        """Make it raw. The settings of before the first call are restored later."""
        if self._usual is None:
            self._usual = termios.tcgetattr(self.descriptor)
        tty.setraw(self.descriptor, termios.TCSADRAIN)

    def restore(self) -> None:
        """Restore the settings of before `make_raw`."""
        if self._usual is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._usual)
            self._usual = None
