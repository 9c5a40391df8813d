"""The options that choose secrets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from app.client.completion import secret_entries
from app.client.selection.terms import TERMS_HELP

_ENTRY_HELP = "A variable and the secret for it; NAME alone for both. Repeatable."
_FROM_HELP = "A file of such entries, one per line; # begins a comment. Repeatable."
_ALLOWED_HELP = "Permit a variable that controls other programs. Repeatable."

_GATEWAY_HELP = (
    "A gateway token and its URL, in PREFIX and PREFIX_URL, not the value. "
    f"Terms: {TERMS_HELP}. Repeatable."
)

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Choice(NamedTuple):
    """The options that choose secrets.

    Attributes:
        in_files: Entries whose values the command gets in files.
        gateways: Entries of gateway tokens.
    """

    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool
    in_files: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()


def choice_options(function: _Function) -> _Function:
    """Add the options of a `Choice` without files in memory, and ``--allow-name``."""
    for option in (
        click.option("--allow-name", "allowed", multiple=True, metavar="ENV", help=_ALLOWED_HELP),
        click.option(
            "--all", "everything", is_flag=True, help="Every secret, in a variable of its name."
        ),
        click.option(
            "--from", "files", multiple=True, type=click.Path(path_type=Path), help=_FROM_HELP
        ),
        click.option(
            "--secret",
            "entries",
            multiple=True,
            metavar="ENV=NAME",
            help=_ENTRY_HELP,
            shell_complete=secret_entries,
        ),
    ):
        function = option(function)
    return function


def gateway_option(function: _Function) -> _Function:
    """Add ``--gateway``."""
    option = click.option(
        "--gateway",
        "gateways",
        multiple=True,
        metavar="PREFIX=CONFIG:NAME[,TERMS]",
        help=_GATEWAY_HELP,
    )
    return option(function)
