"""Columns of a row that may be damaged, as the types that they should have."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from app.domain.columns import Row
from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded
from app.repository.collections.batches import Batch, Position, Stored

R = TypeVar("R", bound=Guardable)


def of_types(table: str, row: Row, types: tuple[type, ...]) -> Row:
    """A row of which each column has the type in its place.

    Raises:
        TamperedRow: One has not; the refusal names the table.
    """
    if tuple(map(type, row)) != types:
        raise TamperedRow(table)
    return row


def stored(parse: Callable[[Row], Guarded[R]], row: Row) -> Stored[R]:
    """A row of a list, in which a damaged one must not hide the others."""
    try:
        return parse(row)
    except TamperedRow as error:
        return error.row


def batch(
    parse: Callable[[Row], Guarded[R]], rows: Sequence[Row], limit: int, key: tuple[int, ...]
) -> Batch[R]:
    """A batch, of rows of which one more than ``limit`` was asked for.

    Args:
        key: Where a row has what it is ordered by.
    """
    shown = rows[:limit]
    after: Position | None = None
    if len(rows) > limit:
        after = tuple(shown[-1][place] for place in key)
    return Batch([stored(parse, row) for row in shown], after)
