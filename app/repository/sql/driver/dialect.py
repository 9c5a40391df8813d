"""Lists as one parameter, and columns as one text, in SQLite's SQL; another dialect has its own.

A statement with a list of any length is prepared once. A parameter for each value takes four times
as long to bind (50 values). The driver releases the interpreter's lock at every row, and another
thread takes it. With many small rows, that costs more than the read itself.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, LargeBinary, bindparam, cast, func, literal_column, select

_BETWEEN = ","


def now_ms() -> ColumnElement[int]:
    """Read the database's clock, in Unix milliseconds; constant within a statement."""
    return literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")


def is_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Compare the column with the values of the list that is the parameter ``name``."""
    listed = func.json_each(bindparam(name)).table_valued("value", name="listed")
    return column.in_(select(listed.c.value))


def as_list(values: Sequence[str]) -> str:
    """Encode the values as one parameter."""
    return orjson.dumps(values).decode()


def as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Join the column of all rows to one text, empty for no rows; no value contains a comma."""
    return func.coalesce(func.group_concat(column, _literal(_BETWEEN)), _literal(""))


def as_bytes(column: ColumnElement[bytes]) -> ColumnElement[bytes]:
    """Concatenate the bytes of all rows, in the order of ``as_text`` beside it."""
    return cast(func.coalesce(func.group_concat(column, _literal("")), _literal("")), LargeBinary)


def values_in(text: str) -> list[str]:
    """Split such a text into its values."""
    return text.split(_BETWEEN) if text else []


text_of: Callable[[Iterable[str]], str] = _BETWEEN.join
"""Join values as ``as_text`` does."""


def _literal(text: str) -> ColumnElement[str]:
    return literal_column(f"'{text}'")
