"""Names of accounts for the shell's completion, read from the database of this machine."""

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from app.domain.guarded import Guarded
from config import load

if TYPE_CHECKING:
    from app.repository.base import Database

_SECONDS = 1.0
_LIMIT = 1000
_PLAIN = re.compile(r"[\w@.+/][\w@.+/ -]{0,254}")  # a name that a shell shows and quotes


def account_names(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the name of an account. Every failure is silent, also a slow database.

    The names are not verified, as that could take a key provider; the command itself verifies.
    """
    from app.repository.connect import connect  # noqa: PLC0415 - see app.cli.deployment

    found: list[str] = []
    reading = Thread(target=_read, args=(connect, context.obj, found), daemon=True)
    reading.start()
    reading.join(_SECONDS)
    return [CompletionItem(name) for name in sorted(found) if name.startswith(incomplete)]


def _read(
    connect: Callable[[str], "Database"], environ: Mapping[str, str], found: list[str]
) -> None:
    try:
        with (
            closing(connect(load(environ).database_url)) as database,
            database.reading() as repository,
        ):
            rows = repository.accounts.sweep(None, _LIMIT).rows
        names = [row.unverified.name for row in rows if isinstance(row, Guarded)]
        found += filter(_PLAIN.fullmatch, names)
    except Exception:  # noqa: BLE001 - the prompt is no place for messages
        return
