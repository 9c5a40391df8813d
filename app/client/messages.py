"""Messages of the command on standard error, without the credentials that were typed."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import click

from app.client.redeem import hide

_BAR_COLUMNS, _USUAL_COLUMNS = 36, 80


def say(message: str) -> None:
    """Print a message, each line after the command's name. Credentials in it are hidden."""
    for line in hide(message).splitlines():
        click.echo(f"strongroom: {line}", err=True)


def show_usage_error(error: click.ClickException) -> None:
    """Print click's error about a command line. Credentials in it are hidden."""
    text = StringIO()
    error.show(text)
    click.echo(hide(text.getvalue()), nl=False, err=True)


@contextmanager
def usage_errors(code: int | None = None) -> Iterator[None]:
    """Print click's errors, and end with their exit codes, or all with the same one."""
    try:
        yield
    except click.ClickException as error:
        show_usage_error(error)
        raise click.exceptions.Exit(code or error.exit_code) from None


def bar_columns(beside: int) -> int:
    """Return the width of a progress bar with so many columns of text beside it.

    A line that is longer than the terminal is wide would stay on the screen at each step.
    """
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        columns = 0
    return max(1, min(_BAR_COLUMNS, (columns or _USUAL_COLUMNS) - beside))


def internal_error(error: Exception) -> str:
    """Describe an unexpected error by its class and the line that raised it, without its text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error: {type(error).__name__} at {frame.filename}:{frame.lineno}"
