"""Reads that survive the loss of a connection, and transactions that report it.

A read outside a transaction, and the beginning of a transaction, have changed nothing: each is
repeated once on a new connection. Whatever is lost later has an unknown outcome.
"""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from app.domain.errors import StorageUnavailable
from app.repository.postgresql.connections import BoundedConnection, Silent
from app.repository.postgresql.failures import is_lost
from app.repository.postgresql.pool import Borrowed
from app.repository.sql.driver.statements import cause_of

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
UNCERTAIN = "The database did not confirm the change; a retry finds out."


class RetryingCursor:
    """A cursor for reads outside a transaction, on the connection that is borrowed.

    Args:
        borrowed: Exchanged where it was lost.
    """

    def __init__(self, borrowed: Borrowed) -> None:
        self._borrowed = borrowed
        self._cursor = borrowed.connection.cursor()

    @property
    def rowcount(self) -> int:
        """The number of rows that were read."""
        return self._cursor.rowcount

    def fetchall(self) -> list[Any]:
        """Return every row."""
        return self._cursor.fetchall()

    def execute(self, sql: Any, parameters: Any) -> object:  # noqa: ANN401 - psycopg's
        """Run a statement, a second time if the connection was lost."""
        if self._runs(sql, parameters):
            return self
        self._borrowed.exchange()
        self._cursor = self._borrowed.connection.cursor()
        return self._cursor.execute(sql, parameters)

    def _runs(self, sql: Any, parameters: Any) -> bool:  # noqa: ANN401 - psycopg's
        try:
            self._cursor.execute(sql, parameters)
        except psycopg.Error as error:
            if isinstance(error, Silent) or not self._cursor.connection.closed:
                raise
            return False
        return True


def begin(borrowed: Borrowed) -> None:
    """Begin a transaction, on a new connection if the borrowed one was lost.

    Raises:
        StorageUnavailable: The new one fails, too.
    """
    if not _begins(borrowed.connection):
        borrowed.exchange()
        if not _begins(borrowed.connection):
            raise StorageUnavailable


def _begins(connection: BoundedConnection) -> bool:
    try:
        connection.execute(_BEGIN)
    except psycopg.Error as error:
        if is_lost(error) and not isinstance(error, Silent):
            return False
        cause = cause_of(error)
    else:
        return True
    raise StorageUnavailable(cause)


def commit(connection: BoundedConnection) -> None:
    """Make a transaction's changes durable.

    Raises:
        StorageUnavailable: That was not confirmed. The changes may have been made or not.
    """
    connection.was_warned = False
    answer, cause = _send_commit(connection)
    if answer == "COMMIT" and not connection.was_warned:
        return
    # A warning means that a standby lacks it; ROLLBACK, that a statement had failed before.
    connection.close()
    raise StorageUnavailable(cause or UNCERTAIN)


def roll_back(connection: BoundedConnection) -> None:
    """Undo a transaction, as far as the connection still has one."""
    try:
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _send_commit(connection: BoundedConnection) -> tuple[str | None, str | None]:
    """Return the server's answer, and the SQLSTATE of a failure."""
    try:
        return connection.execute("COMMIT").statusmessage, None
    except psycopg.Error as error:
        return None, cause_of(error)
