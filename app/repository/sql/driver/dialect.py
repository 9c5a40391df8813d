"""Lists as one parameter, and columns as one text, in SQLite's words; another dialect has its own.

A statement with a list of any length is prepared once; a parameter for each value takes four times
as long to bind (50 values). The driver lets go of the interpreter at every row, which another
thread then has: of many small rows, that takes longer than all that is read.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, LargeBinary, bindparam, cast, func, literal_column, select

_BETWEEN = ","


def now_ms() -> ColumnElement[int]:
    """Now by the database's clock, in Unix milliseconds; the same all through a statement."""
    return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")


def is_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column is among the values of the list that is the parameter ``name``."""
    listed = func.json_each(bindparam(name)).table_valued("value", name="listed")
    return column.in_(select(listed.c.value))


def as_list(values: Sequence[str]) -> str:
    """The values as one parameter."""
    return orjson.dumps(values).decode()


def as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The column of all rows as one text, empty for no rows; no value holds a comma."""
    return func.coalesce(func.group_concat(column, _literal(_BETWEEN)), _literal(""))


def as_bytes(column: ColumnElement[bytes]) -> ColumnElement[bytes]:
    """The bytes of all rows, one after the other, in the order of ``as_text`` beside it."""
    return cast(func.coalesce(func.group_concat(column, _literal("")), _literal("")), LargeBinary)


def values_in(text: str) -> list[str]:
    """The values of such a text."""
    return text.split(_BETWEEN) if text else []


text_of: Callable[[Iterable[str]], str] = _BETWEEN.join
"""The inverse: the text of values."""


def _literal(text: str) -> ColumnElement[str]:
    return literal_column(f"'{text}'")
