"""Run a command with its output masked, on a pseudo-terminal if we are on a terminal."""

import contextlib
import os
import selectors
import signal
import stat
from collections.abc import Iterable, Mapping, Sequence

from app.client.terminal.background import mask_in_background
from app.client.terminal.keyboard import Keyboard
from app.client.terminal.monitor import Event, Message, Monitor, Start
from app.client.terminal.output_stream import OutputStream
from app.client.terminal.relay import Relay
from app.client.terminal.user_terminal import UserTerminal
from app.masking.masker import Masker
from app.masking.search import ValueSearch

_Wire = tuple[int, int]
"""The descriptors from which output of the command is read, and to which it is printed."""


def run_masked(
    command: Sequence[str], environment: Mapping[bytes, bytes], values: Iterable[str]
) -> int:
    """Run the command and return its exit code. A signal that ends it ends us as well.

    Raises:
        Refused: The command cannot be started.
    """
    _open_standard_streams()
    search = ValueSearch(values)
    user = UserTerminal.find()
    outer, inner = user.open_alike() if user else (None, None)
    descriptors, wires = _wire(outer, inner, user)
    foreground = user is not None and user.is_ours() and not _in_pipeline()
    monitor = Monitor(Start(command, environment, descriptors, inner, foreground))
    for descriptor in {*descriptors, *([] if inner is None else [inner])} - {0, 1, 2}:
        os.close(descriptor)
    outputs = [OutputStream(source, sink, Masker(search)) for source, sink in wires]
    with selectors.DefaultSelector() as selector:
        keyboard = None if user is None or outer is None else Keyboard(user, outer, selector)
        end = Relay(monitor, outputs, keyboard, selector).run(take_keys=foreground)
    if any(output.open for output in outputs):
        mask_in_background(outputs)
        monitor.hand_over()
    else:
        monitor.close()
        for output in outputs:
            output.finish()
    return _end_alike(end)


def _open_standard_streams() -> None:
    """Open closed standard streams on /dev/null, or our own descriptors would take their place."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:  # noqa: PLR2004 - standard error
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only form
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _wire(
    outer: int | None, inner: int | None, user: UserTerminal | None
) -> tuple[tuple[int, int, int], list[_Wire]]:
    """Choose the command's standard streams: its terminal where ours is a terminal, else pipes.

    Input needs no masking, and so no pipe. Output and errors to one place share one pipe, which
    keeps their order.
    """
    wires: list[_Wire] = []
    streams = [0 if inner is None or not os.isatty(0) else inner]
    for number in (1, 2):
        if inner is not None and os.isatty(number):
            streams.append(inner)
        elif streams[1:] and os.path.sameopenfile(1, 2):
            streams.append(streams[1])
        else:
            source, stream = os.pipe()
            streams.append(stream)
            wires.append((source, number))
    if outer is not None and user is not None:
        wires.append((outer, next(filter(os.isatty, (1, 2)), user.descriptor)))
    return (streams[0], streams[1], streams[2]), wires


def _in_pipeline() -> bool:
    """Return True if another program may read the terminal, so the command must ask for it."""
    return any(stat.S_ISFIFO(os.fstat(number).st_mode) for number in (0, 1))


def _end_alike(end: Message) -> int:
    if end.event is Event.EXITED:
        return end.number
    with contextlib.suppress(OSError):  # SIGKILL has no handler
        signal.signal(end.number, signal.SIG_DFL)
    os.kill(os.getpid(), end.number)
    return 128 + end.number
