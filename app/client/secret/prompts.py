"""Questions at a terminal: a value, which is typed unseen and twice, and yes or no."""

import os
import select
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

from app.client.redeem import Fault, Refused

# A longer line is cut by the terminal itself: termios(3), and tty_io's MAX_CANON on macOS.
_LINE_BYTES = 4096 if sys.platform == "linux" else 1024
_PASTE_SECONDS = 0.2
_SIGNAL_SECONDS = 0.2


def ask_twice(label: str) -> bytes:
    """Ask for a value and for its repetition. Returns the bytes without the line end.

    Raises:
        Refused: They differ, are too long for a line, or there is none.
    """
    with ExitStack() as opened:
        terminal = _open(opened)
        with _hidden(terminal) as ask:
            first, second = ask(f"{label}: "), ask("the same again: ")
            if first != second:
                _drain(terminal)
                text = "the two entries differ. For several lines, pipe them or use --file."
                raise Refused(Fault(text))
    return first


def confirm(question: str) -> bool:
    """Ask a question. Returns True if the reply is yes."""
    with ExitStack() as opened:
        terminal = _open(opened)
        return _ask(terminal, f"{question} [y/N]: ").strip().lower() in {b"y", b"yes"}


def _open(opened: ExitStack) -> int:
    """Open the terminal that this process belongs to; standard input if it belongs to none."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return sys.stdin.fileno()
    opened.callback(os.close, terminal)
    return terminal


@contextmanager
def _hidden(terminal: int) -> Iterator[Callable[[str], bytes]]:
    """Switch the echo off, and yield a function that prompts and reads a line.

    Ctrl-Z switches it on as long as the process is stopped. Afterwards it is as before, also when a
    key or a signal ends the process. Input that nobody read is dropped: what was typed too early
    was seen on the screen, and no line of a paste may get to the shell.
    """
    usual = termios.tcgetattr(terminal)
    shown = ""

    def hide() -> None:
        modes = termios.tcgetattr(terminal)
        modes[3] = modes[3] & ~termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG
        termios.tcsetattr(terminal, termios.TCSAFLUSH, modes)

    def stop(number: int, _: FrameType | None) -> None:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, usual)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # returns once we are continued
        signal.signal(number, stop)
        hide()
        os.write(terminal, shown.encode())

    def ask(prompt: str) -> bytes:
        nonlocal shown
        shown = prompt
        return _ask(terminal, prompt)

    handlers = {signal.SIGTSTP: stop, signal.SIGQUIT: _end}
    before = {number: signal.getsignal(number) for number in handlers}
    for number, handler in handlers.items():
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        hide()
        yield ask
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, usual)
        for number, former in before.items():
            signal.signal(number, former)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _ask(terminal: int, prompt: str) -> bytes:
    """Prompt for a line. If none is typed, the prompt of the shell gets a line of its own."""
    try:
        os.write(terminal, prompt.encode())
        return _line(terminal)
    except (KeyboardInterrupt, SystemExit):
        _end_line(terminal)
        raise


def _line(terminal: int) -> bytes:
    """Read a line, without its end."""
    line = b""
    while not line.endswith(b"\n"):
        piece = _read(terminal)
        if not piece:
            _end_line(terminal)
            raise Refused(Fault("nothing was typed."))
        line += piece
    if len(line) >= _LINE_BYTES:
        raise Refused(Fault("a terminal cuts so long a line: pipe the value, or use --file."))
    return line[:-1]


def _end_line(terminal: int) -> None:
    with suppress(OSError):  # the terminal may be gone
        os.write(terminal, b"\n")


def _read(terminal: int) -> bytes:
    """Read what was typed. A signal that arrives just before the read does not wait for a key."""
    while not select.select([terminal], [], [], _SIGNAL_SECONDS)[0]:
        pass
    return os.read(terminal, _LINE_BYTES)


def _drain(terminal: int) -> None:
    """Read what remains of a paste of several lines."""
    while select.select([terminal], [], [], _PASTE_SECONDS)[0]:
        if not os.read(terminal, _LINE_BYTES):
            return
