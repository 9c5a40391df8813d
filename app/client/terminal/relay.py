"""The loop between the user and a masked command: output, keys, signals, job control."""

import os
import selectors
import signal
from collections.abc import Sequence
from contextlib import closing

from app.client.terminal.keyboard import Keyboard
from app.client.terminal.monitor import Event, Message, Monitor, reap
from app.client.terminal.output_stream import OutputStream, listen, serve_once
from app.client.terminal.wakeup import Wakeup

_NOT_CAUGHT = {signal.SIGKILL, signal.SIGSTOP}
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}  # our own, and fatal
_OURS = {signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU}
_PASSED_ON = signal.valid_signals() - _NOT_CAUGHT - _FAULTS - _OURS
_WANTS_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)


class Relay:
    """Serves one masked command until it ends."""

    def __init__(
        self,
        monitor: Monitor,
        outputs: Sequence[OutputStream],
        keyboard: Keyboard | None,
        selector: selectors.BaseSelector,
    ) -> None:
        self._monitor = monitor
        self._outputs = outputs
        self._keyboard = keyboard
        self._selector = selector
        self._end: Message | None = None
        self._continued = False
        self._is_stopped = False  # then the monitor continues the command, not we

    def run(self, *, take_keys: bool) -> Message:
        """Serve, taking the user's keys at once if ``take_keys``. Returns the command's end."""
        self._catch_signals()
        try:
            if self._keyboard and take_keys:
                self._keyboard.take()
            with closing(Wakeup()) as wakeup:
                self._selector.register(wakeup, selectors.EVENT_READ, wakeup.clear)
                return self._serve()
        finally:
            if self._keyboard:
                self._keyboard.leave()

    def _serve(self) -> Message:
        self._selector.register(self._monitor, selectors.EVENT_READ, self._on_message)
        listen(self._selector, self._outputs)
        if self._keyboard:
            self._keyboard.listen()
        while self._end is None:
            serve_once(self._selector, self._outputs)
        self._monitor.leave_terminal()
        for output in self._outputs:
            output.drain()
        return self._end

    def _catch_signals(self) -> None:
        for number in _PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda number, _: self._monitor.signal(number))
        signal.signal(signal.SIGCONT, self._on_continue)
        signal.signal(signal.SIGCHLD, lambda *_: reap())
        reap()  # children that ended before the handler was set
        if self._keyboard:  # the command's terminal sends it a SIGWINCH of its own
            keyboard = self._keyboard
            signal.signal(signal.SIGWINCH, lambda *_: keyboard.copy_size())

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
