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


class Prepared:
    """The text of one statement, and where its parameters go.

    Args:
        dialect: One whose parameters are positional.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
        self.sql = str(compiled)
        self._places = [
            (name if compiled.binds[name].required else None, compiled.params[name])
            for name in compiled.positiontup or ()
        ]

    def bind(self, parameters: Parameters) -> tuple[object, ...]:
        """The parameters in the statement's order, between the constants that it holds."""
        return tuple([parameters[name] if name else value for name, value in self._places])


class PreparedStatements(dict[ClauseElement, Prepared]):
    """Every statement that was ever run in this dialect, prepared when it first is."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect

    def __missing__(self, statement: ClauseElement) -> Prepared:
        """Prepare a new one; of two threads that do so at once, the later's stays."""
        prepared = Prepared(statement, self.dialect)
        self[statement] = prepared
        return prepared
