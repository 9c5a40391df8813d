"""Progress of a sweep on standard error: a bar on a terminal, else a line every 5 seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from app.client.messages import say
from app.services.rotation.progress import Progress, Report

_LINE_SECONDS = 5.0


@contextmanager
def shown() -> Iterator[Report]:
    """Yield the function to which a sweep reports its progress."""
    if not sys.stderr.isatty():
        yield lines()
        return
    with click.progressbar(length=0, file=sys.stderr, show_pos=True) as bar:

        def advance(progress: Progress) -> None:
            bar.label = progress.unit
            bar.length = progress.total
            bar.update(progress.done - bar.pos)

        yield advance


def lines(clock: Callable[[], float] = time.monotonic) -> Report:
    """Report in lines, for a log: the first at once, the next at least 5 seconds apart."""
    due = clock()

    def advance(progress: Progress) -> None:
        nonlocal due
        if clock() >= due:
            due = clock() + _LINE_SECONDS
            say(_line(progress))

    return advance


def _line(progress: Progress) -> str:
    seconds = progress.seconds_remaining
    remaining = "" if seconds is None else f"; about {seconds:.0f} s remaining"
    done = f"{progress.done} of {progress.total} {progress.unit} done"
    return f"{done}, {progress.failed} data keys failed{remaining}."
