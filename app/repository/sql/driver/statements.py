"""Runs statements: the one place where they meet a connection and its errors.

A statement is written in SQLAlchemy, compiled once for a dialect, and run on the driver. A read
takes a third of the time that it takes through SQLAlchemy (``docs/adr/0006``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter, itemgetter, methodcaller
from typing import Any, NoReturn, TypeVar, cast

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert

from app.domain.columns import Row
from app.domain.errors import StorageUnavailable, TamperedRow
from app.repository.base import Conflict
from app.repository.sql.driver.locks import Locking, Query, changing

Parameters = Mapping[str, object]
Bind = Callable[[Parameters], Any]
"""Adds the constants of a statement to its parameters, in the form that the driver takes."""

PutOff = Callable[[str, Parameters], None]
T = TypeVar("T")

_every: Callable[[Any], list[Row]] = methodcaller("fetchall")
_written: Callable[[Any], int] = attrgetter("rowcount")


def attempt(call: Callable[[], T]) -> T:
    """Call, and translate the errors of SQLAlchemy.

    Raises:
        StorageUnavailable: The database refused. It is raised outside the handler, because the
            driver's error may hold statement and parameters, and would stay as its context.
    """
    try:
        return call()
    except DBAPIError as error:
        cause = cause_of(error.orig)
    raise StorageUnavailable(cause)


def cause_of(error: BaseException | None) -> str | None:
    """Return the driver's own name of an error, as ``SQLITE_FULL`` or ``55P03``.

    No value is in it. ``None`` if the driver has no name, as for a connection that was lost.
    """
    name = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
    return name if isinstance(name, str) else None


def unavailable(error: BaseException) -> StorageUnavailable:
    """Return our error for one of the driver's."""
    return StorageUnavailable(cause_of(error))


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


class PreparedStatements(dict[ClauseElement, tuple[str, Bind]]):
    """Every statement that a database has run: its text, and how its parameters are bound.

    Args:
        dialect: Its driver takes parameters by name or by place. Databases that share it share
            the texts, too.
    """

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect

    def __missing__(self, statement: ClauseElement) -> tuple[str, Bind]:
        """Prepare a statement; of two threads that do so at once, the later's text stays."""
        prepared = self[statement] = _prepare(statement, self._dialect)
        return prepared


@cache
def _prepare(statement: ClauseElement, dialect: Dialect) -> tuple[str, Bind]:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect))
    constants = {
        compiled.bind_names[bind]: bind.value for bind in compiled.bind_names if not bind.required
    }
    return str(compiled), _binding(compiled.positiontup, constants)


def _binding(places: list[str] | None, constants: Parameters) -> Bind:
    """Return how the parameters of a statement are bound.

    Args:
        places: The name at each place; ``None`` if the driver takes parameters by name.
        constants: Those that the statement holds itself, by name.
    """
    bind: Bind
    if places is None:
        bind = _by_name
    elif len(places) > 1:
        bind = itemgetter(*places)
    else:  # of one name, itemgetter returns no tuple
        bind = lambda given: tuple(map(given.__getitem__, places))  # noqa: E731
    return (lambda given: bind({**constants, **given})) if constants else bind


def _by_name(given: Parameters) -> Parameters:
    return given


class Statements:
    """Runs statements on one connection and returns plain rows.

    One cursor serves all of them: each is read to its end before the next, and so holds nothing.

    Args:
        cursor: The driver's, on the connection where they run.
        error: The base class of the driver's errors.
        prepared: The statements of its dialect.
        locks: Whether they are those of a unit of work, on a database with locks of rows.
        translate: Returns our error for one of the driver's, without a value in it.
        put_off: Runs a statement with the next one, on a database that is reached by a network.

    Attributes:
        locks: As above.
        has_failed: Whether the connection has failed, so that it should not be used again.
        has_erased: Whether ciphertext was deleted or replaced.
    """

    def __init__(
        self,
        cursor: Any,  # noqa: ANN401 - the drivers' cursors have no common class
        error: type[Exception],
        prepared: PreparedStatements,
        *,
        locks: bool,
        translate: Callable[[BaseException], StorageUnavailable] = unavailable,
        put_off: PutOff | None = None,
    ) -> None:
        self._cursor = cursor
        self._execute: Callable[[str, Parameters], object] = cursor.execute
        self._error = error
        self._prepared = prepared
        self.locks = locks
        self._translate = translate
        self._put_off = put_off
        self.has_failed = False
        self.has_erased = False

    def end(self) -> None:
        """Refuse every further statement: it would run outside of its transaction."""
        self._execute = _refuse
        self._put_off = _refuse

    def lockable(self, statement: Query, locking: Locking = changing) -> Query:
        """Return the statement, which locks the rows that it reads in a unit of work."""
        return locking(statement) if self.locks else statement

    def lock(self, statement: Query, parameters: Parameters) -> None:
        """Run a statement only for the locks that it takes."""
        if self.locks:
            self.all(statement, parameters)

    def first(self, statement: ClauseElement, parameters: Parameters) -> Row | None:
        """Return the first row, or ``None``."""
        rows = self._run(statement, parameters, _every)
        return rows[0] if rows else None

    def all(self, statement: ClauseElement, parameters: Parameters) -> list[Row]:
        """Return every row."""
        return self._run(statement, parameters, _every)

    def count(self, statement: ClauseElement, parameters: Parameters) -> int:
        """Return the number in the only row."""
        ((number,),) = self.all(statement, parameters)
        return int(number)

    def write(self, statement: ClauseElement, parameters: Parameters) -> int:
        """Write rows, and return their number."""
        return self._run(statement, parameters, _written)

    def write_later(self, statement: ClauseElement, parameters: Parameters) -> None:
        """Write rows, at the next statement of the unit of work or at its commit.

        That one raises the failure. The number of rows is not known.
        """
        if self._put_off is None:
            self.write(statement, parameters)
            return
        sql, bind = self._prepared[statement]
        self._put_off(sql, bind(parameters))

    def change_and_return(self, statement: ClauseElement, parameters: Parameters) -> Row | None:
        """Change at most one row, and return what the statement says of it."""
        rows = self._run(statement, parameters, _every)
        return rows[0] if rows else None

    def erase(self, statement: ClauseElement, parameters: Parameters) -> int:
        """Delete or replace rows with ciphertext, and return their number."""
        rows = self.write(statement, parameters)
        self.has_erased = self.has_erased or rows > 0
        return rows

    def erase_and_return(self, statement: ClauseElement, parameters: Parameters) -> list[Row]:
        """Delete rows with ciphertext, and return what the statement says of them."""
        rows = self.all(statement, parameters)
        self.has_erased = self.has_erased or bool(rows)
        return rows

    def insert(self, statement: InsertUnlessThere, parameters: Parameters) -> None:
        """Insert one row.

        Raises:
            Conflict: A row with the same unique columns is there already.
        """
        if not self.write(statement, parameters):
            raise Conflict

    def _run(self, statement: ClauseElement, parameters: Parameters, take: Callable[[Any], T]) -> T:
        sql, bind = self._prepared[statement]
        bound = bind(parameters)
        try:
            self._execute(sql, bound)
            return take(self._cursor)
        except self._error as error:
            self.has_failed = True
            failure = self._translate(error)
        # Outside the handler, as in attempt.
        raise failure


@dataclass
class Collection:
    """A collection of rows, by the statements that it runs."""

    _statements: Statements


def of_types(table: str, row: Row, types: tuple[type, ...]) -> Row:
    """Return the row if each column has the type at its place.

    Raises:
        TamperedRow: One has another; the refusal names the table.
    """
    if tuple(map(type, row)) != types:
        raise TamperedRow(table)
    return row


def _refuse(*_: object) -> NoReturn:
    raise RuntimeError("this unit of work has ended")
