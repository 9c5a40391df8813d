"""Reads that survive the loss of a connection, and transactions that report it.

A read outside a transaction, and the beginning of a transaction, have changed nothing: each is
repeated once on a new connection. Whatever is lost later has an unknown outcome.
"""

from collections.abc import Mapping

import psycopg
from psycopg.pq import TransactionStatus

from app.domain.errors import StorageUnavailable
from app.repository.postgresql.connections import BoundedConnection
from app.repository.postgresql.cursor import Cursor, Row
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


def begin(borrowed: Borrowed) -> None:
    """Begin a transaction, on a new connection if the borrowed one was lost.

    Raises:
        StorageUnavailable: The new one fails, too.
    """
    try:
        borrowed.connection.own_cursor.execute(_BEGIN)
    except psycopg.Error as error:
        failure = None if _is_repeated(error) else translate(error)
    else:
        return
    if failure is None:
        borrowed.exchange()
        failure = _begun(borrowed.connection)
    if failure is not None:
        raise failure


def commit(connection: BoundedConnection) -> None:
    """Make a transaction's changes durable.

    Raises:
        StorageUnavailable: That was not confirmed. The changes may have been made or not.
    """
    connection.was_warned = False
    failure = StorageUnavailable(UNCERTAIN)
    try:
        connection.own_cursor.execute("COMMIT")
        if connection.own_cursor.tag == b"COMMIT" and not connection.was_warned:
            return
    except psycopg.Error as error:
        if not failure_of(error).is_lost:
            failure = translate(error)
    # A warning means that a standby lacks it; ROLLBACK, that a statement had failed before.
    connection.give_up(is_lost=False)
    raise failure


def end_without_commit(connection: BoundedConnection, *, has_changed: bool) -> None:
    """Undo a transaction, as far as the connection still has one.

    Where nothing was changed it ends with COMMIT: the driver forgets all prepared statements of a
    connection at a ROLLBACK.
    """
    if connection.closed or connection.info.transaction_status is TransactionStatus.IDLE:
        return
    try:
        connection.own_cursor.execute("ROLLBACK" if has_changed else "COMMIT")
    except psycopg.Error:
        connection.give_up(is_lost=False)


def _begun(connection: BoundedConnection) -> StorageUnavailable | None:
    try:
        connection.own_cursor.execute(_BEGIN)
    except psycopg.Error as error:
        return translate(error)
    return None


def _is_repeated(error: psycopg.Error) -> bool:
    return failure_of(error).is_lost and not isinstance(error, Silent)
