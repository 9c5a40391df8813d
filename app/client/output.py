"""Results on standard output: a table for people, JSON for scripts."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import indent
from typing import Any, TypeVar

import click

Row = Mapping[str, object]
Function = TypeVar("Function", bound=Callable[..., Any])

_MOMENT = "_at_ms"
_ALIGNED_LINES = 1000


def as_json(function: Function) -> Function:
    """Add the option ``--json``."""
    return click.option("--json", is_flag=True, help="Print JSON.")(function)


def show(document: object, text: str, *, json: bool) -> None:
    """Print a result: as a JSON document, or as a text for people."""
    if json:
        show_json(document)
    else:
        click.echo(text)


def show_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2))


def show_rows(rows: Iterable[Row], columns: Sequence[str], *, json: bool) -> None:
    """Print rows one after another: a JSON array of objects, or a table with a heading.

    Args:
        rows: Each has every column; Unix milliseconds in columns that end in ``_at_ms``.
        columns: The order of the table.
        json: True for JSON.
    """
    if json:
        _show_array(rows)
        return
    chunk: list[Sequence[str]] = [[column.removesuffix("_ms") for column in columns]]
    for row in rows:
        chunk.append([_cell(column, row[column]) for column in columns])
        if len(chunk) == _ALIGNED_LINES:
            _show_aligned(chunk)
            chunk.clear()
    _show_aligned(chunk)


def _show_array(rows: Iterable[Row]) -> None:
    """Print the same text as ``json.dumps`` with an indent, one row at a time."""
    opening = "["
    for row in rows:
        click.echo(opening)
        click.echo(indent(json.dumps(dict(row), indent=2), "  "), nl=False)
        opening = ","
    click.echo("[]" if opening == "[" else "\n]")


def _show_aligned(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def moment(unix_ms: int) -> str:
    """Format Unix milliseconds for people, in UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if column.endswith(_MOMENT) and isinstance(value, int):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    # An attacker may have edited a stored name: it must not control the terminal.
    return text if text.isprintable() else ascii(text)


def forget_output() -> None:
    """Drop what nobody reads any more, or Python would report it as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
