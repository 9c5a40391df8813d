"""Lists as one parameter, in SQLite's words; another dialect has its own.

A statement with a list of any length is prepared once. A parameter for each value takes four times
as long to bind (50 values).
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import ColumnElement, bindparam, func, select


def is_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column is among the values of the list that is the parameter ``name``."""
    listed = func.json_each(bindparam(name)).table_valued("value", name="listed")
    return column.in_(select(listed.c.value))


def as_list(values: Sequence[str]) -> str:
    """The values as one parameter."""
    return orjson.dumps(values).decode()
