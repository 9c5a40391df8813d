"""Lists of stored rows. A damaged row is named and does not hide the others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import click

from app.cli.errors import DAMAGED
from app.client.messages import say
from app.client.output import Row, show_rows
from app.domain.damage import DamagedRow

_MAX_NAMED = 20

T = TypeVar("T")


def show_stored(
    stored: Iterable[T | DamagedRow],
    row_of: Callable[[T], Row],
    columns: Sequence[str],
    *,
    json: bool,
) -> None:
    """Print all rows, and end with exit code 5 if one is damaged.

    Args:
        stored: The rows; a damaged one shows its id only.
        row_of: Returns the columns of a row.
        columns: The order of the table.
        json: True for JSON.
    """
    damaged: list[DamagedRow] = []

    def rows() -> Iterator[Row]:
        for each in stored:
            if isinstance(each, DamagedRow):
                damaged.append(each)
                name = None if json else "(damaged)"
                yield {**dict.fromkeys(columns), "id": each.id, "name": name, "damaged": True}
            else:
                yield {**row_of(each), "damaged": False}

    show_rows(rows(), columns, json=json)
    say_damaged(damaged)
    if damaged:
        raise click.exceptions.Exit(DAMAGED)


def say_damaged(rows: Sequence[DamagedRow]) -> None:
    """Name damaged rows on standard error, by table and id."""
    for row in rows[:_MAX_NAMED]:
        say(f"damaged: {row}")
    if len(rows) > _MAX_NAMED:
        say(f"damaged: {len(rows) - _MAX_NAMED} more rows")
