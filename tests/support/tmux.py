"""A user in front of real terminals: those of tmux, whose screens can be read."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.programs import require
from tests.support.waiting import wait_until

_CTRL_C = "C-c"
_END_SECONDS = 60.0
_COLUMNS, _LINES = "100", "50"
_SHELL = "exec env PS1='$ ' bash --norc --noprofile"


class Terminals:
    """Terminals with a shell in each, by number.

    A program in them has to be ended by its user: tmux would leave it behind.
    """

    def __init__(self, socket: Path, directory: Path, environment: Mapping[str, str]) -> None:
        self._command = [require("tmux"), "-S", str(socket), "-f", "/dev/null"]
        self._directory = directory
        self._environment = environment
        self._opened: list[str] = []

    def open(self) -> str:
        """Open another terminal. Returns its number."""
        size = ["-x", _COLUMNS, "-y", _LINES]
        number = self._tmux(
            *["new-session", "-d", "-P", "-F", "#{pane_id}", *size, "-c", str(self._directory)],
            _SHELL,
        ).strip()
        self._opened.append(number)
        return number

    def type(self, number: str, line: str) -> None:
        """Type a line, and the Enter key."""
        self._tmux("send-keys", "-t", number, "-l", "--", line)
        self._tmux("send-keys", "-t", number, "Enter")

    def interrupt(self, number: str) -> None:
        """Press Ctrl-C."""
        self._tmux("send-keys", "-t", number, _CTRL_C)

    def screen(self, number: str) -> str:
        """Return all lines so far, without blanks at their ends and empty lines at the end."""
        lines = self._tmux("capture-pane", "-t", number, "-p", "-J", "-S", "-").splitlines()
        return "\n".join(map(str.rstrip, lines)).rstrip()

    def close(self) -> None:
        """End the programs with Ctrl-C, then the shells."""
        for number in self._opened:
            self.interrupt(number)
        wait_until(lambda: all(map(self._is_at_a_prompt, self._opened)), _END_SECONDS)
        self._tmux("kill-server")

    def _is_at_a_prompt(self, number: str) -> bool:
        shown = self._tmux("display-message", "-t", number, "-p", "#{pane_current_command}")
        return shown.strip() == "bash"

    def _tmux(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._command, *arguments],
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=_END_SECONDS,
        ).stdout


@contextmanager
def terminals(directory: Path, environment: Mapping[str, str]) -> Iterator[Terminals]:
    """Terminals whose shells begin in a directory, until the block ends."""
    with TemporaryDirectory(prefix="strongroom-tmux-") as place:
        opened = Terminals(Path(place, "socket"), directory, environment)
        try:
            yield opened
        finally:
            opened.close()
