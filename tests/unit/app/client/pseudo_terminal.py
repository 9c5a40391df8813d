"""A user at a real pseudo-terminal: types keys, reads the screen, resizes the window."""

import fcntl
import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

PATIENCE_SECONDS = 20.0

_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class PseudoTerminal:
    """A program that leads a session on a terminal of its own, and the user in front of it."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], place: Path) -> None:
        self._screen, theirs = os.openpty()
        self.resize(24, 80)
        self._seen = b""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _TAKE_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=place,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._process.kill()
        self._process.wait()

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self._screen, (rows, columns))

    def expect(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Wait until the screen shows it after what was expected before."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern.encode(), self._seen)) is None:
            more = self._read(deadline - time.monotonic())
            assert more, f"expected {pattern!r}, found {self._seen[-2000:]!r}"
            self._seen += more
        self._seen = self._seen[found.end() :]
        return found[0].decode()

    def rest(self) -> str:
        """All that comes until the program ends."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while more := self._read(deadline - time.monotonic()):
            self._seen += more
        return self._seen.decode()

    def wait(self) -> int:
        """The program's end, as `subprocess` tells it."""
        self.rest()
        return self._process.wait(PATIENCE_SECONDS)

    @property
    def process(self) -> int:
        """The number of the program's process."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        if self._screen >= 0:
            os.close(self._screen)
            self._screen = -1

    @property
    def is_usual(self) -> bool:
        """Return True if it is as a shell leaves it: by lines, with echo and signals."""
        flags: int = termios.tcgetattr(self._screen)[3]
        usual = termios.ECHO | termios.ICANON | termios.ISIG
        return flags & usual == usual

    def _read(self, seconds: float) -> bytes:
        if not select.select([self._screen], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            return os.read(self._screen, 65536)
        except OSError:  # EIO: nobody has the other end any more
            return b""


def is_running(process: int) -> bool:
    """Return True if it exists and is no zombie."""
    try:
        return _state(process) not in "ZX"
    except FileNotFoundError:
        return False


def is_stopped(process: int) -> bool:
    """Return True if it waits to be continued."""
    return _state(process) == "T"


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def unread_bytes(source: int) -> int:
    """The number of bytes in a pipe."""
    return int.from_bytes(fcntl.ioctl(source, termios.FIONREAD, bytes(4)), sys.byteorder)


def is_waiting(process: int) -> bool:
    """Return True if it sleeps in a system call, and used no processor meanwhile."""
    first, second = (Path(f"/proc/{process}/stat").read_text().split() for _ in range(2))
    return first[2] == second[2] == "S" and first[13:15] == second[13:15]
