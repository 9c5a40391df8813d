"""Columns of a row that may be damaged, as the types that they should have."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded, Mac
from app.repository.collections.batches import Batch, Position, Stored

T = TypeVar("T")
R = TypeVar("R", bound=Guardable)
Rows = TypeVar("Rows")
Row = tuple[Any, ...]


class _Damaged(Exception):
    pass


def text(value: object) -> str:
    """A text."""
    if type(value) is not str:
        raise _Damaged
    return value


def text_or_none(value: object) -> str | None:
    """A text or nothing."""
    return None if value is None else text(value)


def number(value: object) -> int:
    """An integer."""
    if type(value) is not int:
        raise _Damaged
    return value


def number_or_none(value: object) -> int | None:
    """An integer or nothing."""
    return None if value is None else number(value)


def flag(value: object) -> bool:
    """A boolean, stored as 0 or 1."""
    if number(value) not in {0, 1}:
        raise _Damaged
    return value == 1


def blob(value: object) -> bytes:
    """Bytes."""
    if type(value) is not bytes:
        raise _Damaged
    return value


def blob_or_none(value: object) -> bytes | None:
    """Bytes or nothing."""
    return None if value is None else blob(value)


def mac(key_id: object, tag: object) -> Mac:
    """A MAC."""
    return Mac(text(key_id), blob(tag))


def of_types(row: Row, types: tuple[type, ...]) -> Row:
    """A row of which each column has the type at its place."""
    if tuple(map(type, row)) != types:
        raise _Damaged
    return row


def parses(
    table: str, key: tuple[int | None, int] | None = None
) -> Callable[[Callable[[Rows], T]], Callable[[Rows], T]]:
    """Make what the decorated function cannot parse, a row or many, a ``TamperedRow``.

    Args:
        table: The table of the row.
        key: Where a row has its account id and its id, by which the refusal names it.
    """

    def decorate(parse: Callable[[Rows], T]) -> Callable[[Rows], T]:
        @wraps(parse)
        def parse_or_refuse(rows: Rows) -> T:
            try:
                return parse(rows)
            except (_Damaged, ValueError):
                pass
            raise TamperedRow(table, *_key_of(rows, key))

        return parse_or_refuse

    return decorate


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


def _key_of(row: Any, key: tuple[int | None, int] | None) -> tuple[object, ...]:  # noqa: ANN401
    return () if key is None else tuple(None if place is None else row[place] for place in key)
