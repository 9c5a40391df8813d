"""The two databases of a move, each on one connection that reads, writes and changes tables."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.sql import Executable

from app.domain.columns import Row
from app.domain.errors import StorageUnavailable
from app.repository.base import DatabaseMisconfigured
from app.repository.connect import connect, is_server
from app.repository.sql import schema
from app.repository.sql.driver.statements import attempt
from app.repository.sql.schema import AGES, SchemaAge
from app.repository.sqlite.database import SqliteDatabase
from app.repository.sqlite.failures import explain

T = TypeVar("T")

_SETTING = "STRONGROOM_DATABASE_URL"
_LOCKED = frozenset({"55P03", "40P01"})
_REFUSED = ("SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG", "22", "23")


class RowsRefused(Exception):
    """A constraint or a type of the database forbids a row."""


class Locked(StorageUnavailable):
    """Others have a lock, and did not release it in time."""


class NotText(bytes):
    """The bytes of what SQLite stores as a text, and is none."""


@dataclass(frozen=True, slots=True)
class Change:
    """Runs statements in one transaction."""

    _connection: Connection

    def rows(self, query: Executable, parameters: Mapping[str, object]) -> list[Row]:
        """Return the rows of a query."""
        return [tuple(row) for row in self._connection.execute(query, dict(parameters))]

    def write(self, statement: Executable, parameters: Mapping[str, object]) -> int:
        """Run a statement, and return the number of rows that it wrote."""
        return int(self._connection.execute(statement, dict(parameters)).rowcount)

    def write_all(self, statement: Executable, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement for each of the rows."""
        self._connection.execute(statement, [dict(row) for row in rows])

    def run(self, sql: str) -> None:
        """Run a statement of SQL as it is."""
        self._connection.exec_driver_sql(sql)


@dataclass(frozen=True, slots=True)
class Side:
    """One database of a move.

    Attributes:
        option: The option of the command that names it, for messages.
        is_server: Whether it is a PostgreSQL server.
    """

    option: str
    _connection: Connection
    _transaction: Callable[[Connection], AbstractContextManager[object]]
    _explain: Callable[[str | None], str]
    is_server: bool

    def read(self, query: Executable, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Return the rows of a query."""
        return self.look(lambda looking: looking.rows(query, parameters or {}))

    def look(self, work: Callable[[Change], T]) -> T:
        """Do work that only reads."""
        with self._connection.begin():
            return self._attempt(partial(work, Change(self._connection)))

    def change(self, work: Callable[[Change], T]) -> T:
        """Do work in one transaction, all of it or nothing.

        Raises:
            RowsRefused: A row is not one that this database can hold.
            StorageUnavailable: The database failed; names the option.
        """
        return self._attempt(partial(self._change, work))

    def require_current(self) -> None:
        """Refuse a database whose tables are not those of this version.

        Raises:
            DatabaseMisconfigured: Names the option.
        """
        age = self._attempt(self._age)
        if age is not SchemaAge.CURRENT:
            raise DatabaseMisconfigured(f"{self.option}: {AGES[age]}")

    def _age(self) -> SchemaAge:
        with self._connection.begin():
            return schema.age(self._connection)

    def _change(self, work: Callable[[Change], T]) -> T:
        with self._transaction(self._connection):
            return work(Change(self._connection))

    def _attempt(self, call: Callable[[], T]) -> T:
        try:
            return attempt(call)
        except StorageUnavailable as error:
            cause = error.cause
        if cause is not None and cause.startswith(_REFUSED):
            raise RowsRefused
        if cause in _LOCKED:
            raise Locked(f"{self.option}: transactions in progress do not end; end them.")
        raise StorageUnavailable(f"{self.option}: {self._explain(cause)}")


@contextmanager
def open_side(url: str, option: str, *, is_target: bool) -> Iterator[Side]:
    """Open a database for a move; in the target, make the tables if there are none.

    Raises:
        DatabaseMisconfigured: It cannot be used; names the option.
        StorageUnavailable: It does not answer.
    """
    with ExitStack() as stack:
        side = _naming(option, partial(_open, url, option, stack, is_target=is_target))
        side.require_current()
        yield side


def _naming(option: str, call: Callable[[], T]) -> T:
    """Call; a fault names the option in place of the setting."""
    try:
        return call()
    except DatabaseMisconfigured as error:
        fault = str(error)
    raise DatabaseMisconfigured(fault.replace(_SETTING, option))


def _open(url: str, option: str, stack: ExitStack, *, is_target: bool) -> Side:
    if is_server(url):
        return _open_server(url, option, stack, is_target=is_target)
    database = stack.enter_context(closing(connect(url)))
    assert isinstance(database, SqliteDatabase)  # noqa: S101 - its scheme says so
    if is_target:
        database.upgrade()
    elif not database.exists():
        raise DatabaseMisconfigured(f"{option}: there is no database.")
    connection = stack.enter_context(closing(database.open_connection()))
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the engine's own
    driver.text_factory = _text
    return Side(option, connection, database.transaction_on, explain, is_server=False)


def _open_server(url: str, option: str, stack: ExitStack, *, is_target: bool) -> Side:
    database = stack.enter_context(closing(connect(url)))  # or says that the driver is missing
    from app.repository.postgresql.failures import (  # noqa: PLC0415 - see connect
        explain as explain_state,
    )
    from app.repository.postgresql.moving import connect_to_move  # noqa: PLC0415

    connection = stack.enter_context(closing(connect_to_move(url, option)))
    if is_target:
        database.upgrade()
    return Side(option, connection, Connection.begin, explain_state, is_server=True)


def _text(stored: bytes) -> str | NotText:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return NotText(stored)
