"""Runs statements on a connection, close to libpq.

The driver's own cursor serves any statement and any type, and takes two thirds of the processor
time of a read. All of ours are texts with named parameters of four types. So each text is taken
apart once, and each statement is prepared once for a connection. Parameters and rows are sent in
PostgreSQL's binary form.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import lookup
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

T = TypeVar("T")
Row = tuple[Any, ...]

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")
_INFERRED, _BOOL, _BYTEA, _INT8 = 0, 16, 17, 20
_NOTHING: Mapping[str, object] = {}


def _whole(number: int) -> bytes:
    try:
        return number.to_bytes(8, "big", signed=True)
    except OverflowError:
        raise psycopg.errors.NumericValueOutOfRange from None  # as the server would


@dataclass(frozen=True, slots=True)
class _Sent:
    """The way in which values of one type are sent: the server's type, and their binary form."""

    oid: int
    dump: Callable[[Any], bytes | None]


_SENT = {
    str: _Sent(_INFERRED, str.encode),
    int: _Sent(_INT8, _whole),
    bytes: _Sent(_BYTEA, lambda value: value),
    bool: _Sent(_BOOL, lambda value: b"\1" if value else b"\0"),
    type(None): _Sent(_INFERRED, lambda _: None),
}


class _Statement:
    """A statement with parameters of certain types, on one connection.

    Attributes:
        number: Its own, on this connection.
        uses: The number of times that it was run unprepared.
        name: Its name on the server, empty until it is prepared.
    """

    def __init__(self, number: int, text: bytes, types: Sequence[type]) -> None:
        sent = [_SENT[each] for each in types]
        self.number = number
        self.text = text
        self.oids = [each.oid for each in sent]
        self.dumps = [each.dump for each in sent]
        self.formats = [Format.BINARY] * len(sent)
        self.uses = 0
        self.name = b""


class Cursor:
    """Runs one statement after the other on a connection: the rows of one last until the next.

    Args:
        connection: The driver's.
        wait: Waits for the server, within a bound.
        met: Called with each failure; closes the connection that it leaves useless.
        prepare_after: Prepares a statement after so many uses; never if this is ``None``.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        wait: Callable[[PQGen[list[PGresult]]], list[PGresult]],
        met: Callable[[psycopg.Error], None],
        prepare_after: int | None,
    ) -> None:
        self._pgconn: PGconn = connection.pgconn
        self._wait = wait
        self._met = met
        self._prepare_after = prepare_after
        self._loaders = Transformer(connection)
        self._statements: dict[tuple[str, tuple[type, ...]], _Statement] = {}
        self._result: PGresult | None = None

    def execute(self, sql: str, parameters: Mapping[str, object] = _NOTHING) -> None:
        """Run a statement.

        Raises:
            psycopg.Error: It failed. A server's error is without its text, which repeats rows.
        """
        try:
            self._result = self._run(sql, parameters)
        except psycopg.Error as error:
            self._met(error)
            raise

    def fetchall(self) -> list[Row]:
        """Return every row."""
        result = self._result
        assert result is not None  # noqa: S101 - a statement was run
        self._loaders.set_pgresult(result, format=Format.BINARY)
        return self._loaders.load_rows(0, result.ntuples, tuple)

    @property
    def rowcount(self) -> int:
        """The number of rows that were written or read."""
        return 0 if self._result is None else self._result.command_tuples or 0

    @property
    def tag(self) -> bytes | None:
        """The server's word for what was done, as ``COMMIT``."""
        return None if self._result is None else self._result.command_status

    def _run(self, sql: str, parameters: Mapping[str, object]) -> PGresult:
        text, names = _parsed(sql)
        values = [parameters[name] for name in names]
        types = tuple(map(type, values))
        statement = self._statements.get((sql, types))
        if statement is None:
            statement = _Statement(len(self._statements), text, types)
            self._statements[sql, types] = statement
        sent = [dump(value) for dump, value in zip(statement.dumps, values, strict=True)]
        if statement.name or self._prepare(statement):
            self._pgconn.send_query_prepared(statement.name, sent, statement.formats, Format.BINARY)
        else:
            self._pgconn.send_query_params(
                statement.text, sent, statement.oids, statement.formats, Format.BINARY
            )
        return self._receive()

    def _prepare(self, statement: _Statement) -> bool:
        """Prepare a statement that is used often. Returns whether it was prepared."""
        if self._prepare_after is None or statement.uses < self._prepare_after:
            statement.uses += 1
            return False
        name = b"s%d" % statement.number
        self._pgconn.send_prepare(name, statement.text, statement.oids)
        self._receive()
        statement.name = name
        return True

    def _receive(self) -> PGresult:
        result = self._wait(generators.execute(self._pgconn))[-1]
        if result.status not in _DONE:
            raise _error_of(result)
        return result


_DONE = {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}


@cache
def _parsed(sql: str) -> tuple[bytes, list[str]]:
    """Return a text with numbered parameters, and their names in this order."""
    names: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return names.setdefault(name, f"${len(names) + 1}") if name else "%"

    return _PLACEHOLDER.sub(number, sql).encode(), [*names]


def _error_of(result: PGresult) -> psycopg.Error:
    code = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    try:
        return lookup(code)()
    except KeyError:
        error = psycopg.DatabaseError() if code else psycopg.OperationalError()
        error.sqlstate = code or None
        return error
