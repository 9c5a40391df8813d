"""Progress of a sweep on standard error: a bar on a terminal, else a line every 5 seconds.

The bar counts rows that needed no work at the start as done, so that it begins where a sweep that
was stopped had come to. Its time remaining is the sweep's own: click would measure from the start
of the bar, as if those rows had been done since.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from app.cli.errors import INTERRUPTED
from app.client.messages import bar_columns, say
from app.services.rotation.progress import Progress, Report

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_LINE_SECONDS = 5.0
_LONGEST_REMAINING = "about 99999 s remaining"


@contextmanager
def shown(*, dry_run: bool = False) -> Iterator[Report]:
    """Yield the function to which a sweep reports its progress.

    A sweep that is interrupted ends the command with exit code 130, and says how to go on.
    """
    seen: list[Progress] = []
    with ExitStack() as stack:
        show = _bar(stack) if sys.stderr.isatty() else lines()

        def report(progress: Progress) -> None:
            seen[:] = [progress]
            show(progress)

        def stopped() -> str:
            stack.close()  # the bar ends its line
            return _stopped(seen[-1] if seen else None, dry_run=dry_run)

        with stoppable(stopped):
            yield report


@contextmanager
def stoppable(message: Callable[[], str]) -> Iterator[None]:
    """End the command with a message and exit code 130 if the user stops it."""
    try:
        yield
    except KeyboardInterrupt:
        say(message())
        raise click.exceptions.Exit(INTERRUPTED) from None


def lines(clock: Callable[[], float] = time.monotonic) -> Report:
    """Report in lines, for a log: the first at once, the next at least 5 seconds apart."""
    due = clock()

    def advance(progress: Progress) -> None:
        nonlocal due
        if clock() >= due:
            due = clock() + _LINE_SECONDS
            failed = f", {progress.failed} data keys failed" if progress.failed else ""
            remaining = _remaining(progress)
            say(f"{_count(progress)}{failed}{remaining and '; '}{remaining}.")

    return advance


def _bar(stack: ExitStack) -> Report:
    """Draw a bar from the first report on; it ends with the stack."""
    bar: ProgressBar[int] | None = None
    remaining = ""

    def advance(progress: Progress) -> None:
        nonlocal bar, remaining
        remaining = _remaining(progress)
        if bar is None:
            beside = f"{progress.unit}  []  {progress.total}/{progress.total}  {_LONGEST_REMAINING}"
            bar = click.progressbar(
                length=progress.total,
                label=progress.unit,
                file=sys.stderr,
                show_pos=True,
                show_eta=False,
                width=bar_columns(len(beside)),
                item_show_func=lambda _: remaining,
            )
            bar.pos = progress.position
            stack.enter_context(bar)
        bar.update(progress.position - bar.pos)

    return advance


def _count(progress: Progress) -> str:
    return f"{progress.position} of {progress.total} {progress.unit} done"


def _remaining(progress: Progress) -> str:
    seconds = progress.seconds_remaining
    return "" if seconds is None else f"about {seconds:.0f} s remaining"


def _stopped(last: Progress | None, *, dry_run: bool) -> str:
    if dry_run:
        return "stopped. It was a dry run: nothing was changed."
    done = "" if last is None else f": {_count(last)}"
    return f"stopped{done}. To go on, run the same command again."
