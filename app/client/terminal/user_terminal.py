"""The terminal from which a masked command was started."""

import contextlib
import os
import termios
import tty
from typing import Any


class UserTerminal:
    """The user's terminal: as it was while others read from it, raw while we do.

    Raw means that every key, Ctrl-C and Ctrl-Z too, is for the command's own terminal to act on.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._usual: list[Any] | None = None

    @classmethod
    def find(cls) -> "UserTerminal | None":
        """The controlling terminal, or else whichever standard stream is a terminal."""
        with contextlib.suppress(OSError):
            return cls(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
        for descriptor in filter(os.isatty, range(3)):
            return cls(os.dup(descriptor))
        return None

    def is_ours(self) -> bool:
        """Whether our process group may read from it."""
        try:
            return os.tcgetpgrp(self.descriptor) == os.getpgrp()
        except OSError:  # nobody's controlling terminal: no job control, nobody to yield to
            return True

    def open_alike(self) -> tuple[int, int]:
        """A pseudo-terminal with our settings and size: our end, and the command's."""
        outer, inner = os.openpty()
        termios.tcsetattr(inner, termios.TCSANOW, termios.tcgetattr(self.descriptor))
        self.copy_size(inner)
        return outer, inner

    def copy_size(self, terminal: int) -> None:
        """Give the command's terminal our size; its programs are told by SIGWINCH."""
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetwinsize(terminal, termios.tcgetwinsize(self.descriptor))

    def make_raw(self) -> None:
        """Have every key delivered as it is."""
        if self._usual is None:
            self._usual = termios.tcgetattr(self.descriptor)
        tty.setraw(self.descriptor, termios.TCSADRAIN)

    def restore(self) -> None:
        """Leave it as it was before it was raw."""
        if self._usual is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._usual)
            self._usual = None
