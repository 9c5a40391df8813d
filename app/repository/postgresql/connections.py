"""Connections to PostgreSQL: every wait has an end, and every session the same settings.

A server that is frozen answers nothing and closes nothing. Neither keepalives nor the server's
own time-outs end such a wait, so each one has a deadline here. What it waited for may have happened
or not, so the connection is closed, never cancelled: a cancelled COMMIT that waits for a standby
reports success without it.
"""

import time
from typing import Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.errors import Diagnostic

from app.repository.postgresql.address import Address
from app.repository.postgresql.failures import spoils
from backends.calls.request_deadline import seconds_remaining

T = TypeVar("T")

WAIT_S = 9.0
LEAST_WAIT_S = 1.0
_INTERVAL_S = 0.1

SESSION_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "8s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "2s",
}
"""In force in every session, as ``SHOW`` writes them."""

_CONNECTING: dict[str, str] = {
    "application_name": "strongroom",
    "target_session_attrs": "primary",
    "connect_timeout": "2",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",
}
_SESSION = {"options": " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items())}
_PREPARE_AFTER = 5


class Silent(psycopg.OperationalError):
    """The server did not answer in time. What it was asked may have happened or not."""


class BoundedCursor(psycopg.Cursor[Any]):
    """Closes its connection after an error that spoils it."""

    def execute(self, *arguments: Any, **options: Any) -> "BoundedCursor":  # noqa: ANN401 - psycopg's
        """Run a statement."""
        try:
            return super().execute(*arguments, **options)
        except psycopg.Error as error:
            if spoils(error):
                self.connection.close()
            raise


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no wait is longer than ``WAIT_S``, or than its request may take.

    Attributes:
        was_warned: The server sent a warning. After a COMMIT it means that a standby may lack it.
    """

    was_warned = False

    def wait(
        self,
        gen: PQGen[T],
        interval: float = _INTERVAL_S,
        timeout: float | None = None,
    ) -> T:
        """Wait for the server, and close the connection where that is given up.

        Raises:
            Silent: The server did not answer in time.
        """
        bound = max(LEAST_WAIT_S, seconds_remaining(timeout or WAIT_S))
        end = time.monotonic() + bound
        is_open = False
        try:
            answer = waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=bound)
        except psycopg.Error as error:
            is_open = error.sqlstate is not None
            if is_open or time.monotonic() < end:
                raise
        else:
            is_open = True
            return answer
        finally:
            if not is_open:
                self.pgconn.finish()
        raise Silent

    def note(self, diagnostic: Diagnostic) -> None:
        """Notice a warning of the server."""
        if diagnostic.severity_nonlocalized == "WARNING":
            self.was_warned = True


def connect(address: Address, *, pooler: bool = False) -> BoundedConnection:
    """Open a connection in autocommit, whose transactions cannot write unless they say so.

    Args:
        address: The place of the database.
        pooler: Sends no session settings and prepares no statement, since a pooler refuses both.

    Raises:
        psycopg.Error: None of the servers can be reached, or none is the primary.
    """
    settings = {} if pooler else _SESSION
    connection = BoundedConnection.connect(
        make_conninfo("", **_CONNECTING, **settings, **address.parameters),
        autocommit=True,
        prepare_threshold=None if pooler else _PREPARE_AFTER,
        cursor_factory=BoundedCursor,
    )
    connection.add_notice_handler(connection.note)
    return connection


def connect_to_migrate(address: Address) -> psycopg.Connection[Any]:
    """Open a connection that may change the schema, for as long as that takes.

    A lock on a table that serves is waited for briefly: whatever comes after waits behind it.

    Raises:
        psycopg.Error: None of the servers can be reached, or none is the primary.
    """
    settings = {**_CONNECTING, "options": "-c lock_timeout=3s -c statement_timeout=0"}
    return psycopg.connect(make_conninfo("", **settings, **address.parameters))
