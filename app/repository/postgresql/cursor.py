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
Sent = tuple[str, Mapping[str, object]]

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")
_INFERRED, _BOOL, _BYTEA, _INT8 = 0, 16, 17, 20
NOTHING: Mapping[str, object] = {}


def _whole(number: int) -> bytes:
    try:
        return number.to_bytes(8, "big", signed=True)
    except OverflowError:
        raise psycopg.errors.NumericValueOutOfRange from None  # as the server would


@dataclass(frozen=True, slots=True)
class _Type:
    """One of our types: the server's name for it, and its binary form."""

    oid: int
    dump: Callable[[Any], bytes | None]


_TYPES = {
    str: _Type(_INFERRED, str.encode),
    int: _Type(_INT8, _whole),
    bytes: _Type(_BYTEA, lambda value: value),
    bool: _Type(_BOOL, lambda value: b"\1" if value else b"\0"),
    type(None): _Type(_INFERRED, lambda _: None),
}


class _Statement:
    """A statement with parameters of certain types, on one connection.

    Attributes:
        number: Its own, on this connection.
        uses: The number of times that it was run unprepared.
        name: Its name on the server, empty until it is prepared.
    """

    def __init__(self, number: int, text: bytes, types: Sequence[type]) -> None:
        sent = [_TYPES[each] for each in types]
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

    def execute(
        self,
        sql: str,
        parameters: Mapping[str, object] = NOTHING,
        *,
        ahead: Sequence[Sent] = (),
    ) -> None:
        """Run a statement.

        Args:
            sql: Its text.
            parameters: By name.
            ahead: Statements that are sent in one message with it, and run before it. After one
                that fails the server runs none of the others.

        Raises:
            psycopg.Error: It failed. A server's error is without its text, which repeats rows.
        """
        try:
            if ahead:
                self._result = self._run_all([*ahead, (sql, parameters)])
            else:
                self._send(*self._ready(sql, parameters))
                self._result = self._receive()
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

    def _run_all(self, statements: Sequence[Sent]) -> PGresult:
        """Run statements by one message. Returns the result of the last."""
        ready = [self._ready(*each) for each in statements]
        self._pgconn.enter_pipeline_mode()
        for each in ready:
            self._send(*each)
        self._pgconn.pipeline_sync()
        *results, _ = self._wait(_answers(self._pgconn, len(ready) + 1))  # the last is the end
        self._pgconn.exit_pipeline_mode()
        return [_require(each) for each in results][-1]

    def _ready(
        self, sql: str, parameters: Mapping[str, object]
    ) -> tuple[_Statement, list[bytes | None]]:
        """Prepare a statement if it is time to, and encode its parameters."""
        text, names = _parsed(sql)
        values = [parameters[name] for name in names]
        types = tuple(map(type, values))
        statement = self._statements.get((sql, types))
        if statement is None:
            statement = _Statement(len(self._statements), text, types)
            self._statements[sql, types] = statement
        sent = [dump(value) for dump, value in zip(statement.dumps, values, strict=True)]
        if not statement.name and self._prepare_after is not None:
            self._prepare(statement, self._prepare_after)
        return statement, sent

    def _prepare(self, statement: _Statement, after: int) -> None:
        """Prepare a statement that is used often."""
        if statement.uses < after:
            statement.uses += 1
            return
        name = b"s%d" % statement.number
        self._pgconn.send_prepare(name, statement.text, statement.oids)
        self._receive()
        statement.name = name

    def _send(self, statement: _Statement, sent: list[bytes | None]) -> None:
        if statement.name:
            self._pgconn.send_query_prepared(statement.name, sent, statement.formats, Format.BINARY)
        else:
            self._pgconn.send_query_params(
                statement.text, sent, statement.oids, statement.formats, Format.BINARY
            )

    def _receive(self) -> PGresult:
        return _require(self._wait(generators.execute(self._pgconn))[-1])


def _answers(pgconn: PGconn, count: int) -> PQGen[list[PGresult]]:
    """Send one message. Returns its results."""
    yield from generators.send(pgconn)
    results = []
    for _ in range(count):
        results += yield from generators.fetch_many(pgconn)
    return results


_DONE = {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}


def _require(result: PGresult) -> PGresult:
    """Return a result, unless it is a failure."""
    if result.status not in _DONE:
        raise _error_of(result)
    return result


@cache
def _parsed(sql: str) -> tuple[bytes, list[str]]:
    """Return a text with numbered parameters, and their names in this order."""
    names: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return names.setdefault(name, f"${len(names) + 1}") if name else "%"

    return _PLACEHOLDER.sub(number, sql).encode(), [*names]


def _error_of(result: PGresult) -> psycopg.Error:
    if result.status == ExecStatus.PIPELINE_ABORTED:
        return psycopg.errors.PipelineAborted()
    code = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    try:
        return lookup(code)()
    except KeyError:
        error = psycopg.DatabaseError() if code else psycopg.OperationalError()
        error.sqlstate = code or None
        return error
