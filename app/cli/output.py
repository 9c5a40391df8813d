"""Answers on standard output: a table for people, JSON for scripts."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

Row = Mapping[str, object]
Function = TypeVar("Function", bound=Callable[..., Any])

_MOMENT = "_at_ms"


def as_json(function: Function) -> Function:
    """The option ``--json``."""
    return click.option("--json", is_flag=True, help="Answer in JSON.")(function)


def show_json(answer: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(answer, indent=2))


def show_rows(rows: Sequence[Row], columns: Sequence[str], *, json: bool) -> None:
    """Print rows: a JSON array of objects, or a table with a heading.

    Args:
        rows: Each has every column; Unix milliseconds in columns that end in ``_at_ms``.
        columns: The order of the table.
        json: Whether a script reads it.
    """
    if json:
        show_json([dict(row) for row in rows])
        return
    heading = [column.removesuffix("_ms") for column in columns]
    table = [heading, *([_cell(column, row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    for line in table:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def moment(unix_ms: int) -> str:
    """Unix milliseconds as people read them, in UTC."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if column.endswith(_MOMENT) and isinstance(value, int):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
