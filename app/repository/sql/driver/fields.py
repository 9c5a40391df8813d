"""Rows whose columns may be damaged."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from app.domain.columns import Row
from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded
from app.repository.collections.batches import Batch, Position, Stored

R = TypeVar("R", bound=Guardable)


def of_types(table: str, row: Row, types: tuple[type, ...]) -> Row:
    """Return the row if each column has the type at its place.

    Raises:
        TamperedRow: One has another; the refusal names the table.
    """
    if tuple(map(type, row)) != types:
        raise TamperedRow(table)
    return row


def stored(parse: Callable[[Row], Guarded[R]], row: Row) -> Stored[R]:
    """Parse a row of a list, in which a damaged one must not hide the others."""
    try:
        return parse(row)
    except TamperedRow as error:
        return error.row


def batch(
    parse: Callable[[Row], Guarded[R]], rows: Sequence[Row], limit: int, key: tuple[int, ...]
) -> Batch[R]:
    """Make a batch from up to ``limit`` + 1 rows: one more shows that others follow.

    Args:
        key: The places of the columns by which rows are ordered.
    """
    shown = rows[:limit]
    after: Position | None = None
    if len(rows) > limit:
        after = tuple(shown[-1][place] for place in key)
    return Batch([stored(parse, row) for row in shown], after)
