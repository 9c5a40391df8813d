"""Columns of a row that may be damaged, as the types that they should have."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from app.domain.errors import TamperedRow
from app.domain.guarded import Mac

T = TypeVar("T")
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


def parses(table: str) -> Callable[[Callable[[Rows], T]], Callable[[Rows], T]]:
    """Make what the decorated function cannot parse, a row or many, a ``TamperedRow``."""

    def decorate(parse: Callable[[Rows], T]) -> Callable[[Rows], T]:
        @wraps(parse)
        def parse_or_refuse(rows: Rows) -> T:
            try:
                return parse(rows)
            except (_Damaged, ValueError):
                pass
            raise TamperedRow(table)

        return parse_or_refuse

    return decorate
