"""Running statements: the one place where they meet a connection and its errors."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Row, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert

from app.domain.errors import StorageUnavailable
from app.repository.base import Conflict

Parameters = Mapping[str, object]
T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T:
    """What ``call`` gives.

    Raises:
        StorageUnavailable: The database refused. It is raised outside the handler, because the
            driver's error holds statement and parameters, and would stay as its context.
    """
    try:
        return call()
    except DBAPIError:
        pass
    raise StorageUnavailable


class InsertUnlessThere(Insert):
    """An insert that skips a row where any unique constraint forbids it.

    The database decides, and a transaction that loses can go on, which after an error it could not
    in PostgreSQL.
    """

    inherit_cache = True


@compiles(InsertUnlessThere)
def _compile(insert: InsertUnlessThere, compiler: SQLCompiler, **options: object) -> str:
    sql: str = compiler.visit_insert(insert, **options)  # type: ignore[no-untyped-call]
    return f"{sql} ON CONFLICT DO NOTHING"


class Statements:
    """Runs statements on one connection and gives back plain rows.

    Args:
        connection: Where they run.
        locks: Whether rows that may be written next are locked when they are read, where a
            database has such locks.

    Attributes:
        has_failed: Whether the connection has failed, so that it should not be used again.
        has_erased: Whether ciphertext was deleted or replaced.
    """

    def __init__(self, connection: Connection, *, locks: bool) -> None:
        self._connection = connection
        self._locks = locks
        self.has_failed = False
        self.has_erased = False

    def lockable(self, statement: Select[Any]) -> Select[Any]:
        """The same statement, locking the rows that it reads if this is a unit of work."""
        return _locking(statement) if self._locks else statement

    def first(self, statement: Executable, parameters: Parameters) -> Row[Any] | None:
        """The first row, or ``None``."""
        return self._take(statement, parameters, CursorResult.first)

    def all(self, statement: Executable, parameters: Parameters) -> Sequence[Row[Any]]:
        """Every row."""
        return self._take(statement, parameters, CursorResult.all)

    def count(self, statement: Executable, parameters: Parameters) -> int:
        """The number in the one row that there is."""
        return int(self._take(statement, parameters, CursorResult.scalar_one))

    def run(self, statement: Executable, parameters: Parameters) -> int:
        """How many rows were written."""
        return self._take(statement, parameters, _rowcount)

    def erase(self, statement: Executable, parameters: Parameters) -> int:
        """How many rows were deleted or replaced, of those that hold ciphertext."""
        rows = self.run(statement, parameters)
        self.has_erased = self.has_erased or rows > 0
        return rows

    def insert(self, statement: InsertUnlessThere, parameters: Parameters) -> None:
        """Insert one row.

        Raises:
            Conflict: A row with the same unique columns is there already.
        """
        if not self.run(statement, parameters):
            raise Conflict

    def _take(
        self, statement: Executable, parameters: Parameters, take: Callable[[CursorResult[Any]], T]
    ) -> T:
        try:
            return attempt(lambda: take(self._connection.execute(statement, parameters)))
        except StorageUnavailable:
            self.has_failed = True
            raise


@cache
def _locking(statement: Select[Any]) -> Select[Any]:
    return statement.with_for_update()


def _rowcount(result: CursorResult[Any]) -> int:
    return result.rowcount
