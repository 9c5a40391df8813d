"""Run a command beside us, on a pseudo-terminal if we are on a terminal.

Its output may be masked, and it may be started again when its environment has changed.
"""

import contextlib
import os
import selectors
import signal
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.client.terminal.background import mask_in_background
from app.client.terminal.keyboard import Keyboard
from app.client.terminal.monitor import Event, Message, Monitor, Start
from app.client.terminal.output_stream import Filter, OutputStream, Unchanged
from app.client.terminal.relay import Relay, Restarts
from app.client.terminal.user_terminal import UserTerminal
from app.masking.masker import Masker
from app.masking.search import ValueSearch

_Wire = tuple[int, int]
"""The descriptors from which output of the command is read, and to which it is printed."""


@dataclass(frozen=True)
class Job:
    """A command to run.

    Attributes:
        command: The command and its arguments.
        environment: All of its environment.
        search: Finds the values to mask in its output; None leaves the output as it is.
    """

    command: Sequence[str]
    environment: Mapping[bytes, bytes] = field(repr=False)
    search: ValueSearch | None = field(repr=False)

    def filter(self) -> Filter:
        """Return a new filter for one stream of its output."""
        return Unchanged() if self.search is None else Masker(self.search)


def run_job(job: Job) -> int:
    """Run the command and return its exit code. A signal that ends it ends us as well.

    Raises:
        Refused: The command cannot be started.
    """
    _open_standard_streams()
    end, _ = _serve(job, UserTerminal.find(), None)
    return _end_alike(end)


def run_with_restarts(job: Job, restarts: Restarts, next_job: Callable[[], Job]) -> int:
    """Run the command, and start it again as the next job whenever ``restarts`` is due.

    It ends like `run_job` once a command ends by itself, or the user ends it.

    Raises:
        Refused: The command cannot be started.
    """
    _open_standard_streams()
    user = UserTerminal.find()
    end, is_restart = _serve(job, user, restarts)
    while is_restart:
        end, is_restart = _serve(next_job(), user, restarts)
    return _end_alike(end)


def _serve(job: Job, user: UserTerminal | None, restarts: Restarts | None) -> tuple[Message, bool]:
    """Run one command. Returns its end, and True if it is to be started again."""
    outer, inner = user.open_alike() if user else (None, None)
    descriptors, wires = _wire(outer, inner, user, is_masked=job.search is not None)
    foreground = user is not None and user.is_ours() and not _in_pipeline()
    monitor = Monitor(Start(job.command, job.environment, descriptors, inner, foreground))
    for descriptor in {*descriptors, *([] if inner is None else [inner])} - {0, 1, 2}:
        os.close(descriptor)
    outputs = [OutputStream(source, sink, job.filter()) for source, sink in wires]
    with selectors.DefaultSelector() as selector:
        keyboard = None if user is None or outer is None else Keyboard(user, outer, selector)
        relay = Relay(monitor, outputs, keyboard, selector, restarts)
        end = relay.run(take_keys=foreground)
    if any(output.open for output in outputs):
        mask_in_background(outputs)
        monitor.hand_over()
    else:
        monitor.close()
        for output in outputs:
            output.finish()
    for output in outputs:
        output.close()
    if keyboard:
        keyboard.close()
    return end, relay.is_restart


def _open_standard_streams() -> None:
    """Open closed standard streams on /dev/null, or our own descriptors would take their place."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:  # noqa: PLR2004 - standard error
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only form
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _wire(
    outer: int | None, inner: int | None, user: UserTerminal | None, *, is_masked: bool
) -> tuple[tuple[int, int, int], list[_Wire]]:
    """Choose the command's standard streams: its terminal where ours is a terminal.

    Else they are ours, or pipes for masked output. Output and errors to one place share one pipe,
    which keeps their order.
    """
    wires: list[_Wire] = []
    streams = [0 if inner is None or not os.isatty(0) else inner]
    for number in (1, 2):
        if inner is not None and os.isatty(number):
            streams.append(inner)
        elif not is_masked:
            streams.append(number)
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
