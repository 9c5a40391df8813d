"""Lists as one parameter, and rows as one text, in SQLite's words; another dialect has its own.

A statement with a list of any length is prepared once; a parameter for each value takes four times
as long to bind (50 values). The driver lets go of the interpreter at every row, which another
thread then has: of many small rows, that takes longer than all that is read.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)

_BETWEEN_COLUMNS = ","
_BETWEEN_ROWS = ";"


def is_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column is among the values of the list that is the parameter ``name``."""
    listed = func.json_each(bindparam(name)).table_valued("value", name="listed")
    return column.in_(select(listed.c.value))


def as_list(values: Sequence[str]) -> str:
    """The values as one parameter."""
    return orjson.dumps(values).decode()


def as_text(first: ColumnElement[str], *others: ColumnElement[str]) -> ColumnElement[str]:
    """The columns of all rows as one text, empty for no rows; none holds a comma or a semicolon."""
    for column in others:
        first = first.concat(_literal(_BETWEEN_COLUMNS)).concat(column)
    return func.coalesce(func.group_concat(first, _literal(_BETWEEN_ROWS)), _literal(""))


def decimal(column: ColumnElement[int]) -> ColumnElement[str]:
    """A number as a column of ``as_text``."""
    return cast(column, Text)


def as_bytes(column: ColumnElement[bytes]) -> ColumnElement[bytes]:
    """The bytes of all rows, one after the other, in the order of ``as_text`` beside it."""
    return cast(func.group_concat(column, _literal("")), LargeBinary)


def rows_in(text: str) -> list[list[str]]:
    """The rows of such a text."""
    return [row.split(_BETWEEN_COLUMNS) for row in text.split(_BETWEEN_ROWS)] if text else []


def _literal(text: str) -> ColumnElement[str]:
    return literal_column(f"'{text}'")
