"""The process between us and a masked command: it leads the command's session, as sudo's does.

A command that stops can only be seen and continued by its parent, and it only stops on Ctrl-Z
if its parent lives in the same session but another process group. We cannot be that parent, for
we stay in the user's session. So a monitor leads the new session on the pseudo-terminal.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, NoReturn

from app.client.redeem import NOT_EXECUTABLE, Fault, Refused, execute

_MESSAGE = struct.Struct("!Bi")
_FOREGROUND, _BACKGROUND = b"f", b"b"
_TERMINAL_STOPS = (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP)


class News(IntEnum):
    """What the monitor tells of the command, with a number."""

    STARTED = 1
    """Its process id, which is also its process group's."""
    STOPPED = 2
    """By this signal; it waits for `Monitor.resume`."""
    CONTINUED = 3
    """It has, as was ordered."""
    EXITED = 4
    """With this code."""
    KILLED = 5
    """By this signal."""


class Message(NamedTuple):
    """One piece of news."""

    news: News
    number: int


@dataclass(frozen=True)
class Start:
    """What to start.

    Attributes:
        command: The command and its arguments.
        environment: All of its environment.
        descriptors: What becomes its standard input, output and error.
        terminal: The terminal of its session, if it gets one.
        foreground: Whether it may read from the terminal at once.
    """

    command: Sequence[str]
    environment: Mapping[bytes, bytes]
    descriptors: tuple[int, int, int]
    terminal: int | None
    foreground: bool

    def __repr__(self) -> str:
        return f"Start({self.command!r})"


class Monitor:
    """Our end of the monitor."""

    def __init__(self, start: Start) -> None:
        self._channel, theirs = socket.socketpair()
        parent = os.getpid()
        self._process = os.fork()
        if self._process == 0:
            self._channel.close()
            _run_monitor(start, theirs, parent)
        theirs.close()
        first = self.read()
        if first.news is not News.STARTED:
            raise Refused(Fault("no session could be made for the command."))
        self.command = first.number

    def fileno(self) -> int:
        """Where there is something to read when there is news."""
        return self._channel.fileno()

    def read(self) -> Message:
        """The next news; a monitor that died took the command with it."""
        try:
            raw = self._channel.recv(_MESSAGE.size, socket.MSG_WAITALL)
        except ConnectionResetError:  # it died before it read what we sent
            raw = b""
        if len(raw) < _MESSAGE.size:
            return Message(News.KILLED, signal.SIGHUP)
        news, number = _MESSAGE.unpack(raw)
        return Message(News(news), number)

    def resume(self, *, foreground: bool) -> None:
        """Continue the stopped command, with or without the right to read from its terminal."""
        with contextlib.suppress(BrokenPipeError):  # the monitor died, as `read` will tell
            self._channel.send(_FOREGROUND if foreground else _BACKGROUND)

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group.

        The monitor keeps the process id from being given away until `close`.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.command, number)

    def close(self) -> None:
        """Let the monitor go, after the command's end."""
        self._channel.close()
        with contextlib.suppress(ChildProcessError):  # it was reaped
            os.waitpid(self._process, 0)


def reap() -> None:
    """Let go of children that ended; in a container, those that lost their parent are ours, too."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run_monitor(start: Start, channel: socket.socket, parent: int) -> NoReturn:
    try:
        os.setsid()
        if start.terminal is not None:
            fcntl.ioctl(start.terminal, termios.TIOCSCTTY, 0)
        for number in _TERMINAL_STOPS:
            signal.signal(number, signal.SIG_IGN)
        _die_with(parent)
        executed, still_ours = os.pipe()
        monitor = os.getpid()
        command = os.fork()
        if command == 0:
            _become_command(start, monitor)
        os.close(still_ours)
        os.read(executed, 1)  # ends when execve closes the command's copy; no key comes before
        _close_all_but(channel.fileno(), start.terminal)
        _tell(channel, News.STARTED, command)
        _watch(start, channel, command)
    finally:
        os._exit(0)


def _become_command(start: Start, monitor: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        _die_with(monitor)
        if start.terminal is not None and start.foreground:
            os.tcsetpgrp(start.terminal, os.getpid())
        for number in _TERMINAL_STOPS:
            signal.signal(number, signal.SIG_DFL)
        for target, source in enumerate(start.descriptors):
            os.dup2(source, target)
        execute(start.command, start.environment)
    except Refused as refused:
        os.write(2, f"strongroom run: {refused.message}\n".encode())
        os._exit(refused.code)
    except OSError as error:
        os.write(2, f"strongroom run: nothing was started: {error.strerror}\n".encode())
    finally:
        os._exit(NOT_EXECUTABLE)


def _watch(start: Start, channel: socket.socket, command: int) -> None:
    while True:
        seen = os.waitid(os.P_PID, command, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        if seen is None or seen.si_code != os.CLD_STOPPED:
            break
        os.waitid(os.P_PID, command, os.WSTOPPED)
        _tell(channel, News.STOPPED, seen.si_status)
        reader = command if channel.recv(1) == _FOREGROUND else os.getpid()
        with contextlib.suppress(OSError):  # it was killed while it was stopped
            if start.terminal is not None:
                os.tcsetpgrp(start.terminal, reader)
            os.killpg(command, signal.SIGCONT)
        _tell(channel, News.CONTINUED, command)
    news = News.EXITED if seen and seen.si_code == os.CLD_EXITED else News.KILLED
    _tell(channel, news, seen.si_status if seen else signal.SIGKILL)
    channel.recv(1)  # until our parent has closed it, the command keeps its process id


def _close_all_but(channel: int, terminal: int | None) -> None:
    """The ends of pipes and terminals are the others' to close."""
    for descriptor in _open_descriptors():
        if descriptor not in {channel, terminal}:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _open_descriptors() -> Sequence[int]:
    """All of them; the limit may be a billion, so not every number is tried unless it has to be."""
    try:
        return [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    except OSError:  # there is no /proc
        return range(os.sysconf("SC_OPEN_MAX"))


def _tell(channel: socket.socket, news: News, number: int) -> None:
    channel.send(_MESSAGE.pack(news, number))


def _die_with(parent: int) -> None:
    """So that nothing goes on unmasked or unseen when our parent is killed, or already was."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGHUP)  # PR_SET_PDEATHSIG, prctl(2)
    if os.getppid() != parent:
        os._exit(1)
