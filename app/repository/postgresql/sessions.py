"""Reads that survive the loss of a connection, and transactions that report it.

A read outside a transaction, and the first statement of a transaction, have changed nothing for
good: each is repeated once on a new connection. Whatever is lost later has an unknown outcome.
"""

from collections.abc import Mapping

import psycopg
from psycopg.pq import TransactionStatus

from app.domain.errors import StorageUnavailable
from app.repository.postgresql.cursor import NOTHING, Cursor, Row, Sent
from app.repository.postgresql.failures import Silent, failure_of, translate
from app.repository.postgresql.pool import Borrowed

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
UNCERTAIN = "The database did not confirm the change; a retry finds out."


class RetryingCursor:
    """A cursor for reads outside a transaction, on the connection that is borrowed at the time."""

    def __init__(self) -> None:
        self._borrowed: Borrowed | None = None
        self._cursor: Cursor | None = None

    def use(self, borrowed: Borrowed) -> None:
        """Read from this connection from now on."""
        self._borrowed = borrowed
        self._cursor = borrowed.connection.own_cursor

    def leave(self) -> None:
        """Read from none: it belongs to another thread now."""
        self._borrowed = self._cursor = None

    @property
    def rowcount(self) -> int:
        """The number of rows that were read."""
        return self._now.rowcount

    def fetchall(self) -> list[Row]:
        """Return every row."""
        return self._now.fetchall()

    def execute(self, sql: str, parameters: Mapping[str, object]) -> None:
        """Run a statement, a second time if the connection was lost."""
        try:
            self._now.execute(sql, parameters)
        except psycopg.Error as error:
            if not _is_repeated(error):
                raise
        else:
            return
        self._renewed().execute(sql, parameters)

    @property
    def _now(self) -> Cursor:
        if self._cursor is None:
            raise RuntimeError("these collections were given back")
        return self._cursor

    def _renewed(self) -> Cursor:
        assert self._borrowed is not None  # noqa: S101 - there was a cursor
        self._borrowed.exchange()
        self._cursor = self._borrowed.connection.own_cursor
        return self._cursor


class Transaction:
    """A cursor for one transaction, which begins with its first statement.

    BEGIN goes in one message with that statement, and what was put off with the next one. So
    neither costs a round trip.
    """

    def __init__(self, borrowed: Borrowed) -> None:
        self._borrowed = borrowed
        self._has_begun = False
        self._ahead: list[Sent] = [(_BEGIN, NOTHING)]

    @property
    def rowcount(self) -> int:
        """The number of rows that were written or read."""
        return self._cursor.rowcount

    def fetchall(self) -> list[Row]:
        """Return every row."""
        return self._cursor.fetchall()

    def execute(self, sql: str, parameters: Mapping[str, object] = NOTHING) -> None:
        """Run a statement; the first one a second time if the connection was lost."""
        has_begun, self._has_begun = self._has_begun, True
        try:
            self._run(sql, parameters)
        except psycopg.Error as error:
            if has_begun or not _is_repeated(error):
                raise
        else:
            return
        self._borrowed.exchange()
        self._run(sql, parameters)

    def put_off(self, sql: str, parameters: Mapping[str, object]) -> None:
        """Run a statement together with the next one, which may report its failure."""
        self._ahead.append((sql, parameters))

    def commit(self) -> None:
        """Make the changes durable.

        Raises:
            StorageUnavailable: That was not confirmed. The changes may have been made or not.
        """
        connection = self._borrowed.connection
        connection.was_warned = False
        failure = StorageUnavailable(UNCERTAIN)
        try:
            self._run("COMMIT", NOTHING)
            if self._cursor.tag == b"COMMIT" and not connection.was_warned:
                return
        except psycopg.Error as error:
            if not failure_of(error).is_lost:
                failure = translate(error)
        # A warning means that a standby lacks it; ROLLBACK, that a statement had failed before.
        connection.give_up(is_lost=False)
        raise failure

    def undo(self) -> None:
        """Undo the changes, as far as the connection still has the transaction."""
        connection = self._borrowed.connection
        if connection.closed or connection.info.transaction_status is TransactionStatus.IDLE:
            return
        try:
            self._cursor.execute("ROLLBACK")
        except psycopg.Error:
            connection.give_up(is_lost=False)

    def _run(self, sql: str, parameters: Mapping[str, object]) -> None:
        self._cursor.execute(sql, parameters, ahead=self._ahead)
        self._ahead.clear()

    @property
    def _cursor(self) -> Cursor:
        return self._borrowed.connection.own_cursor


def _is_repeated(error: psycopg.Error) -> bool:
    return failure_of(error).is_lost and not isinstance(error, Silent)
