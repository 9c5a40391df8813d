"""The loop between the user and a command: output, keys, signals, job control, restarts."""

import os
import selectors
import signal
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Protocol

from app.client.terminal.graceful_stop import GracefulStop, has_members
from app.client.terminal.keyboard import Keyboard
from app.client.terminal.monitor import Event, Message, Monitor, reap
from app.client.terminal.output_stream import OutputStream, listen, serve_once
from app.client.terminal.wakeup import Wakeup

_NOT_CAUGHT = {signal.SIGKILL, signal.SIGSTOP}
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}  # our own, and fatal
_OURS = {signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU}
_PASSED_ON = signal.valid_signals() - _NOT_CAUGHT - _FAULTS - _OURS
_WANTS_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)
_BY_KEY = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
_ENDING = _BY_KEY | {signal.SIGTERM}


class Restarts(Protocol):
    """Ends the command so that it is started again.

    Attributes:
        is_due: True once the command is to be started again.
        received: Signals by which the user ends us. They are passed on, and nothing is restarted.
    """

    is_due: bool
    received: list[int]

    def start(self) -> None:
        """Begin to wait: the command was started."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to `read`."""

    def read(self) -> Sequence[str]:
        """Return the lines to show, and set ``is_due``."""


class Relay:
    """Serves one command until it ends, or until it was ended to be started again."""

    def __init__(
        self,
        monitor: Monitor,
        outputs: Sequence[OutputStream],
        keyboard: Keyboard | None,
        selector: selectors.BaseSelector,
        restarts: Restarts | None = None,
    ) -> None:
        self._monitor = monitor
        self._outputs = outputs
        self._keyboard = keyboard
        self._selector = selector
        self._restarts = restarts
        self._stop = GracefulStop(
            monitor.signal, lambda: monitor.group is not None and has_members(monitor.group)
        )
        self._end: Message | None = None
        self._continued = False
        self._is_stopped = False  # then the monitor continues the command, not we

    def run(self, *, take_keys: bool) -> Message:
        """Serve, taking the user's keys at once if ``take_keys``. Returns the command's end."""
        self._catch_signals()
        self._monitor.admit_signals()
        try:
            if self._keyboard and take_keys:
                self._keyboard.take()
            with closing(Wakeup()) as wakeup:
                self._selector.register(wakeup, selectors.EVENT_READ, wakeup.clear)
                return self._serve()
        finally:
            if self._keyboard:
                self._keyboard.leave()

    @property
    def is_restart(self) -> bool:
        """Return True if we ended the command to start it again, and the user did not end it.

        A key such as Ctrl-C, or a hang-up, reaches the command without us.
        """
        end, restarts = self._end, self._restarts
        by_key = end is not None and end.event is Event.KILLED and end.number in _BY_KEY
        return self._stop.has_begun and not by_key and not (restarts and restarts.received)

    def _serve(self) -> Message:
        self._selector.register(self._monitor, selectors.EVENT_READ, self._on_message)
        listen(self._selector, self._outputs)
        if self._keyboard:
            self._keyboard.listen()
        if self._restarts:
            self._restarts.start()
            on_restarts = partial(self._on_restarts, self._restarts)
            self._selector.register(self._restarts, selectors.EVENT_READ, on_restarts)
            for number in self._restarts.received:  # they came before there was a command
                self._monitor.signal(number)
        while (end := self._ended()) is None:
            patience = self._stop.patience(leader_ended=self._end is not None)
            serve_once(self._selector, self._outputs, patience)
        self._monitor.leave_terminal()
        for output in self._outputs:
            output.drain()
        return end

    def _ended(self) -> Message | None:
        if self._stop.has_begun and not self._stop.is_over(leader_ended=self._end is not None):
            return None
        return self._end

    def _catch_signals(self) -> None:
        for number in _PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._pass_on)
        signal.signal(signal.SIGCONT, self._on_continue)
        signal.signal(signal.SIGCHLD, lambda *_: reap())
        reap()  # children that ended before the handler was set
        if self._keyboard:  # the command's terminal sends it a SIGWINCH of its own
            keyboard = self._keyboard
            signal.signal(signal.SIGWINCH, lambda *_: keyboard.copy_size())

    def _pass_on(self, number: int, _: object) -> None:
        if self._restarts and number in _ENDING:
            self._restarts.received.append(number)
        self._monitor.signal(number)

    def _on_continue(self, *_: object) -> None:
        self._continued = True
        if not self._is_stopped:
            self._monitor.signal(signal.SIGCONT)
        if self._keyboard and self._keyboard.taken:
            self._keyboard.take()

    def _on_message(self) -> None:
        message = self._monitor.read()
        if message.event is Event.STOPPED:
            self._is_stopped = True
            self._follow_stop(message.number)
        elif message.event is Event.CONTINUED:
            self._follow_continue()
        else:
            self._end = message
            self._selector.unregister(self._monitor)

    def _on_restarts(self, restarts: Restarts) -> None:
        for line in restarts.read():
            self._show(line)
        if restarts.is_due and self._end is None and not self._stop.has_begun:
            self._stop.begin()

    def _show(self, line: str) -> None:
        """Print a line of our own, also while the terminal is raw."""
        is_raw = self._keyboard is not None and self._keyboard.taken
        end = "\r\n" if is_raw and os.isatty(2) else "\n"
        with suppress(OSError):
            os.write(2, f"{line}{end}".encode())

    def _follow_stop(self, number: int) -> None:
        """Stop as the command did, unless it only asks for the keyboard and can get it."""
        keyboard, asks = self._keyboard, number in _WANTS_TERMINAL
        wanted = keyboard is not None and (keyboard.taken or asks)
        if not (asks and keyboard and keyboard.can_be_taken()):
            self._suspend(number)
            if asks and not self._continued:  # no shell is there to give it the terminal
                self._monitor.signal(signal.SIGHUP)
        if keyboard and wanted and keyboard.can_be_taken():
            keyboard.take()
        self._monitor.resume(foreground=bool(keyboard and keyboard.taken))

    def _follow_continue(self) -> None:
        """Catch signals again; not earlier, or our SIGCONT would undo the user's Ctrl-Z."""

        self._is_stopped = False
        self._catch_signals()
        if self._keyboard:
            self._keyboard.listen()

    def _suspend(self, number: int) -> None:
        """Stop our process group, and with it the job; returns when the job is continued."""
        for output in self._outputs:
            output.drain()
            output.finish()
        if self._keyboard:
            self._keyboard.leave()
        self._continued = False
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
        os.killpg(0, number)
