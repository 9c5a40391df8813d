"""Statements compiled once for a dialect, as the driver takes them.

A read takes a third of the time that it takes through SQLAlchemy (``docs/adr/0006``).
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Select
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert

Parameters = Mapping[str, object]
Query = Select[*tuple[Any, ...]]


class InsertUnlessThere(Insert):
    """An insert that skips a row where any unique constraint forbids it.

    The database decides, and a transaction that loses can go on, which after an error it could not
    in PostgreSQL.
    """


@compiles(InsertUnlessThere)
def _compile(insert: InsertUnlessThere, compiler: SQLCompiler, **options: object) -> str:
    sql: str = compiler.visit_insert(insert, **options)  # type: ignore[no-untyped-call]
    return f"{sql} ON CONFLICT DO NOTHING"


class PreparedStatements(dict[ClauseElement, tuple[str, Parameters]]):
    """Every statement that was ever run in this dialect: its text, and the constants that it holds.

    The driver takes parameters by name, as statements do, so none is put in its place for a run.

    Args:
        dialect: One whose parameters are named.
    """

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect

    def __missing__(self, statement: ClauseElement) -> tuple[str, Parameters]:
        """Prepare a statement; of two threads that do so at once, the later's text stays."""
        compiled = cast("SQLCompiler", statement.compile(dialect=self._dialect))
        constants = {
            compiled.bind_names[bind]: bind.value
            for bind in compiled.bind_names
            if not bind.required
        }
        prepared = self[statement] = str(compiled), constants
        return prepared
