"""Lists as one parameter and as one row, in SQLite's words; another dialect has its own for both.

A statement with a list of any length is prepared once. A parameter for each value takes four times
as long to bind, and a row for each twice as long to fetch (50 values).
"""

import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select

_SEPARATOR = ","


def is_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column is among the values of the list that is the parameter ``name``."""
    listed = func.json_each(bindparam(name)).table_valued("value", name="listed")
    return column.in_(select(listed.c.value))


def as_list(values: Sequence[str]) -> str:
    """The values as one parameter."""
    return json.dumps(list(values))


def joined(column: ColumnElement[str]) -> ColumnElement[str]:
    """The values of all rows, none of which holds a comma, as one text."""
    return func.group_concat(column, literal_column(f"'{_SEPARATOR}'"))


def split(text: str | None) -> list[str]:
    """The values of such a text."""
    return text.split(_SEPARATOR) if text else []
