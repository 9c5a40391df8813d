"""Expressions that each database writes differently: lists, joined columns, the clock.

A statement with a list of any length is prepared once. A parameter for each value takes four times
as long to bind (50 values). SQLite's driver releases the interpreter's lock at every row, and
another thread takes it. With many small rows, that costs more than the read itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    LargeBinary,
    Select,
    Text,
    bindparam,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_BETWEEN = ","

LIKE_ESCAPE = "!"
"""The escape of patterns for ``LIKE``; a backslash means more in a text of PostgreSQL."""


def containing(part: str) -> str:
    """Return the pattern of texts that contain ``part``."""
    for special in (LIKE_ESCAPE, "%", "_"):
        part = part.replace(special, LIKE_ESCAPE + special)
    return f"%{part}%"


def now_ms() -> ColumnElement[int]:
    """Read the database's clock, in Unix milliseconds; constant within a statement."""
    return _Now()


def is_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Compare the column with the values of the list that is the parameter ``name``."""
    return _IsListed(column, bindparam(name, type_=Text()))


def is_among(key: ColumnElement[Any], few: Select[Any]) -> ColumnElement[bool]:
    """Compare a key with the rows of a statement that has a limit.

    Within a table expression: PostgreSQL may run a subquery several times, with a limit each time.
    """
    return key.in_(select(*few.cte("few", nesting=True).c))


def as_list(values: Sequence[str]) -> str:
    """Encode the values as one parameter."""
    return orjson.dumps(values).decode()


def as_text(column: ColumnElement[Any], by: ColumnElement[Any]) -> ColumnElement[str]:
    """Join the column of all rows to one text, empty for no rows; no value contains a comma.

    Args:
        by: The column that orders the rows. A subquery must be in this order already: SQLite older
            than 3.44 cannot order an aggregate, and keeps the order of what it reads
            (https://www.sqlite.org/optoverview.html#omitorderby).
    """
    return _JoinedText(column, by)


def as_bytes(column: ColumnElement[bytes], by: ColumnElement[Any]) -> ColumnElement[bytes]:
    """Concatenate the bytes of all rows, in the order of ``as_text`` beside it."""
    return _JoinedBytes(column, by)


def values_in(text: str) -> list[str]:
    """Split such a text into its values."""
    return text.split(_BETWEEN) if text else []


text_of: Callable[[Iterable[str]], str] = _BETWEEN.join
"""Join values as ``as_text`` does."""


class _SaidDifferently(FunctionElement[Any]):
    """An expression that has another text in each database, with its arguments by place."""

    inherit_cache = True
    sqlite: str
    postgresql: str


class _Now(_SaidDifferently):
    type = BigInteger()
    sqlite = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    postgresql = "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"


class _IsListed(_SaidDifferently):
    type = Boolean()
    sqlite = "{0} IN (SELECT listed.value FROM json_each({1}) AS listed)"
    # An array, not IN: it is read from an index, however many values the planner expects.
    postgresql = "{0} = ANY (ARRAY(SELECT json_array_elements_text(CAST({1} AS JSON))))"


class _JoinedText(_SaidDifferently):
    type = Text()
    sqlite = f"coalesce(group_concat({{0}}, '{_BETWEEN}'), '')"
    postgresql = f"coalesce(string_agg(CAST({{0}} AS TEXT), '{_BETWEEN}' ORDER BY {{1}}), '')"


class _JoinedBytes(_SaidDifferently):
    type = LargeBinary()
    sqlite = "CAST(coalesce(group_concat({0}, ''), '') AS BLOB)"
    postgresql = "coalesce(string_agg({0}, ''::bytea ORDER BY {1}), ''::bytea)"


@compiles(_SaidDifferently, "sqlite")
def _in_sqlite(element: _SaidDifferently, compiler: SQLCompiler, **options: object) -> str:
    return element.sqlite.format(*_arguments(element, compiler, options))


@compiles(_SaidDifferently, "postgresql")
def _in_postgresql(element: _SaidDifferently, compiler: SQLCompiler, **options: object) -> str:
    return element.postgresql.format(*_arguments(element, compiler, options))


def _arguments(
    element: _SaidDifferently, compiler: SQLCompiler, options: Mapping[str, Any]
) -> list[str]:
    return [compiler.process(each, **options) for each in element.clauses]
