"""The one table of failures: which exception ends the command with which exit code."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import click

from app.cli.redeem import hide
from app.domain.errors import (
    BackupDamaged,
    DomainError,
    NotInitialised,
    RecoveryRefused,
    StorageUnavailable,
    TamperedRow,
)
from app.domain.system_errors import DISK, name_of
from app.repository.base import DatabaseMisconfigured
from app.services.errors import SystemKeyUnreadable
from backends.errors import DecryptionError, KeyProviderConfigError, KeyProviderError
from config import SettingsError

REFUSED, MISCONFIGURED, UNAVAILABLE, DAMAGED, INCOMPLETE, INTERNAL = 1, 3, 4, 5, 6, 70

# The text of each of these holds no value. The class that an exception is nearest to counts.
EXIT_CODES: dict[type[Exception], int] = {
    SettingsError: MISCONFIGURED,
    KeyProviderConfigError: MISCONFIGURED,
    DatabaseMisconfigured: MISCONFIGURED,
    NotInitialised: MISCONFIGURED,
    StorageUnavailable: UNAVAILABLE,
    KeyProviderError: UNAVAILABLE,
    DecryptionError: DAMAGED,
    SystemKeyUnreadable: DAMAGED,
    TamperedRow: DAMAGED,
    RecoveryRefused: DAMAGED,
    BackupDamaged: DAMAGED,
    DomainError: REFUSED,
}


def say(message: str) -> None:
    """Tell the operator, on standard error, each line under the command's name.

    Of what was typed, no credential is repeated.
    """
    for line in hide(message).splitlines():
        click.echo(f"strongroom: {line}", err=True)


def show_usage_error(error: click.ClickException) -> None:
    """Print what click says of a command line, without the credentials that were typed there."""
    text = StringIO()
    error.show(text)
    click.echo(hide(text.getvalue()), nl=False, err=True)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Print click's errors within, and end with their exit codes."""
    try:
        yield
    except click.ClickException as error:
        show_usage_error(error)
        raise click.exceptions.Exit(error.exit_code) from None


def report(error: Exception) -> int:
    """Say what went wrong, without a traceback, which would show what the command holds.

    Returns:
        The exit code.
    """
    if isinstance(error, OSError) and error.errno in DISK:
        say(f"a file cannot be written, because the disk is full or fails ({name_of(error)})")
        return UNAVAILABLE
    code = next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), INTERNAL)
    say(_place(error) if code == INTERNAL else _tell(error))
    return code


def _tell(error: Exception) -> str:
    return error.told if isinstance(error, DomainError) else str(error)


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error: {type(error).__name__} at {frame.filename}:{frame.lineno}"
