"""Passes the user's keys on to a masked command's terminal."""

import os
import selectors

from app.client.terminal.user_terminal import UserTerminal

_READ_BYTES = 1024


class Keyboard:
    """Sends every key to the command while it is taken.

    It never blocks: a command that prints and does not read would else wait for us, and we for it.
    """

    def __init__(
        self, user: UserTerminal, command_terminal: int, selector: selectors.BaseSelector
    ) -> None:
        self._user = user
        self._command_terminal = os.dup(command_terminal)  # the selector reads the other one
        self._selector = selector
        self._unsent = b""
        self.taken = False

    def can_be_taken(self) -> bool:
        """Return True if we are in the terminal's foreground."""
        return self._user.is_ours()

    def take(self) -> None:
        """Make the terminal raw, also after others used it. `listen` begins to read keys."""
        self.taken = True
        self._user.make_raw()
        self.copy_size()

    def listen(self) -> None:
        """Read keys from now on, if the keyboard is taken."""
        if self.taken and not self._is_watched(self._user.descriptor) and not self._unsent:
            self._selector.register(self._user.descriptor, selectors.EVENT_READ, self._read)

    def leave(self) -> None:
        """Stop reading keys, and restore the terminal."""
        if self.taken:
            self.taken = False
            self._stop_watching(self._user.descriptor)
            self._stop_watching(self._command_terminal)
            self._user.restore()

    def close(self) -> None:
        """Let go of the command's terminal."""
        os.close(self._command_terminal)

    def copy_size(self) -> None:
        """Copy the size of the user's terminal to the command's."""
        self._user.copy_size(self._command_terminal)

    def _read(self) -> None:
        try:
            self._unsent = os.read(self._user.descriptor, _READ_BYTES)
        except OSError:  # the user's terminal is gone
            self._unsent = b""
        self._stop_watching(self._user.descriptor)
        if self._unsent:
            self._selector.register(self._command_terminal, selectors.EVENT_WRITE, self._send)

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._command_terminal, self._unsent) :]
        except BlockingIOError:
            return
        except OSError:  # the command's terminal is gone
            self._unsent = b""
        if not self._unsent:
            self._stop_watching(self._command_terminal)
            self.listen()

    def _stop_watching(self, descriptor: int) -> None:
        if self._is_watched(descriptor):
            self._selector.unregister(descriptor)

    def _is_watched(self, descriptor: int) -> bool:
        return descriptor in self._selector.get_map()
