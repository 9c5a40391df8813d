"""The process between us and a masked command. It leads the command's session, as in sudo.

Only a parent learns that its child stopped. A command stops on Ctrl-Z only if its parent is in the
same session but in another process group. We stay in the user's session, so we cannot be that
parent: a monitor leads the new session on the pseudo-terminal.
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
_FOREGROUND, _BACKGROUND, _LEAVE = b"f", b"b", b"l"
_TERMINAL_STOPS = (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP)


class Event(IntEnum):
    """An event in the command's life; its message has a number."""

    STARTED = 1
    """The number is the id of its process and of its process group."""
    STOPPED = 2
    """The number is the signal. The command waits for `Monitor.resume`."""
    CONTINUED = 3
    """The command was resumed."""
    EXITED = 4
    """The number is the exit code."""
    KILLED = 5
    """The number is the signal."""


class Message(NamedTuple):
    """One event, with its number."""

    event: Event
    number: int


@dataclass(frozen=True)
class Start:
    """The command to start, and its surroundings.

    Attributes:
        command: The command and its arguments.
        environment: All of its environment.
        descriptors: Its standard input, output and error.
        terminal: The terminal of its session, if it gets one.
        foreground: True if it may read from the terminal at once.
    """

    command: Sequence[str]
    environment: Mapping[bytes, bytes]
    descriptors: tuple[int, int, int]
    terminal: int | None
    foreground: bool

    def __repr__(self) -> str:
        return f"Start({self.command!r})"


class Monitor:
    """Starts the monitor and talks to it.

    Signals wait until `admit_signals`: a command that runs would not hear of them before.

    Attributes:
        group: The command's process group; None once we let go of it.
    """

    def __init__(self, start: Start) -> None:
        self._channel, theirs = socket.socketpair()
        parent = os.getpid()
        self._signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._process = os.fork()
        if self._process == 0:
            self._channel.close()
            _run_monitor(start, theirs, parent, self._signals)
        theirs.close()
        first = self.read()
        if first.event is not Event.STARTED:
            self.admit_signals()
            raise Refused(Fault("no session could be made for the command."))
        self.group: int | None = first.number

    def admit_signals(self) -> None:
        """Let the signals come that waited while the command was started."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._signals)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a message has come."""
        return self._channel.fileno()

    def read(self) -> Message:
        """Return the next message. A monitor that died took the command with it."""
        try:
            raw = self._channel.recv(_MESSAGE.size, socket.MSG_WAITALL)
        except ConnectionResetError:  # it died before it read our last byte
            raw = b""
        if len(raw) < _MESSAGE.size:
            return Message(Event.KILLED, signal.SIGHUP)
        event, number = _MESSAGE.unpack(raw)
        return Message(Event(event), number)

    def resume(self, *, foreground: bool) -> None:
        """Continue the stopped command, with or without the right to read from its terminal."""
        with contextlib.suppress(BrokenPipeError):  # the monitor died; `read` reports it
            self._channel.send(_FOREGROUND if foreground else _BACKGROUND)

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group.

        Until `close` the monitor does not reap the command, so nobody else gets its process id.
        """
        if self.group is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, number)

    def leave_terminal(self) -> None:
        """Let the monitor close its terminal and outlive us, after the command has ended.

        It still leads the session: without a leader, the terminal would be taken from processes
        that the command left in the background.
        """
        with contextlib.suppress(ConnectionError):
            self._channel.send(_LEAVE)
            self._channel.recv(1)

    def hand_over(self) -> None:
        """Let go of the monitor: it ends with the process that was forked from ours."""
        self.group = None
        self._channel.close()

    def close(self) -> None:
        """End the monitor, after the command has ended."""
        self.group = None
        self._channel.close()
        with contextlib.suppress(ChildProcessError):  # it was reaped already
            os.waitpid(self._process, 0)


def reap() -> None:
    """Reap children that ended. In a container, orphans of others are among them."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run_monitor(
    start: Start, channel: socket.socket, parent: int, signals: set[int | signal.Signals]
) -> NoReturn:
    try:
        _forget_handlers()
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        os.setsid()
        if start.terminal is not None:
            fcntl.ioctl(start.terminal, termios.TIOCSCTTY, 0)
        for number in _TERMINAL_STOPS:
            signal.signal(number, signal.SIG_IGN)
        _die_with(parent)
        executed, not_executed = os.pipe()
        monitor = os.getpid()
        command = os.fork()
        if command == 0:
            _become_command(start, monitor)
        os.close(not_executed)
        os.read(executed, 1)  # returns when execve closes the command's copy; no key comes before
        _close_all_but(channel.fileno(), start.terminal)
        _send(channel, Event.STARTED, command)
        _watch(start, channel, command)
    finally:
        os._exit(0)


def _forget_handlers() -> None:
    """Give signals their defaults that our parent caught for a command before this one."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


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
        state = os.waitid(os.P_PID, command, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        if state is None or state.si_code != os.CLD_STOPPED:
            break
        os.waitid(os.P_PID, command, os.WSTOPPED)
        _send(channel, Event.STOPPED, state.si_status)
        reader = command if channel.recv(1) == _FOREGROUND else os.getpid()
        with contextlib.suppress(OSError):  # it was killed while it was stopped
            if start.terminal is not None:
                os.tcsetpgrp(start.terminal, reader)
            os.killpg(command, signal.SIGCONT)
        _send(channel, Event.CONTINUED, command)
    event = Event.EXITED if state and state.si_code == os.CLD_EXITED else Event.KILLED
    _send(channel, event, state.si_status if state else signal.SIGKILL)
    # Until our parent closes its end, the command's process id is taken.
    if channel.recv(1) == _LEAVE:
        if start.terminal is not None:
            os.close(start.terminal)
        _outlive_parent()
        channel.send(_LEAVE)
        channel.recv(1)


def _close_all_but(channel: int, terminal: int | None) -> None:
    """Close our copies of pipes and terminals, so that others see when the last real end closes."""
    for descriptor in _open_descriptors():
        if descriptor not in {channel, terminal}:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _open_descriptors() -> Sequence[int]:
    """List them where the system can; else every number up to the limit, perhaps a billion."""
    try:
        return [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    except OSError:  # there is no /proc
        return range(os.sysconf("SC_OPEN_MAX"))


def _send(channel: socket.socket, event: Event, number: int) -> None:
    channel.send(_MESSAGE.pack(event, number))


def _outlive_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 0)


def _die_with(parent: int) -> None:
    """Die when our parent is killed, or already was, so that no output passes unmasked."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGHUP)  # PR_SET_PDEATHSIG, prctl(2)
    if os.getppid() != parent:
        os._exit(1)
