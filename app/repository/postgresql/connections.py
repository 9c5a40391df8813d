"""Connections to PostgreSQL: every wait has an end, and every session the same settings.

A server that is frozen answers nothing and closes nothing. Neither keepalives nor the server's
own time-outs end such a wait, so each one has a deadline here. What it waited for may have happened
or not, so the connection is closed, never cancelled: a cancelled COMMIT that waits for a standby
reports success without it.
"""

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.errors import Diagnostic

from app.repository.postgresql.address import Address
from app.repository.postgresql.cursor import Cursor
from app.repository.postgresql.failures import Silent, failure_of, is_answer
from app.repository.postgresql.finding.resolving import joined, resolve
from backends.calls.request_deadline import seconds_remaining

T = TypeVar("T")

WAIT_S = 9.0
"""Limit of one wait where there is no request."""

MIGRATING_S = 600
"""Limit of one statement of a migration, in whole seconds: an index of a large table takes long."""

GRACE_S = 0.5
"""A wait may end so long after the deadline of its request: a COMMIT is not given up at once."""

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


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no wait is longer than ``wait_s``, or than its request may take.

    Attributes:
        was_warned: The server sent a warning. After a COMMIT it means that a standby may lack it.
        is_lost: It was closed because the server is gone, or does not answer.
        generation: The generation of the pool in which it was made.
        wait_s: Limit of one wait where there is no request.
    """

    wait_s = WAIT_S
    was_warned = False
    is_lost = False
    generation = 0

    @cached_property
    def own_cursor(self) -> Cursor:
        """The one cursor of the connection: each statement is read to its end before the next."""
        return Cursor(self, self.wait, self.meet, self.prepare_threshold)

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
        bound = seconds_remaining(timeout or self.wait_s, grace=GRACE_S)
        end = time.monotonic() + bound
        is_open = False
        try:
            answer = waiting.wait(gen, self.pgconn.socket, interval=interval, timeout=bound)
        except psycopg.Error as error:
            is_open = is_answer(error)
            if is_open or time.monotonic() < end:
                raise
        else:
            is_open = True
            return answer
        finally:
            if not is_open:
                self.give_up(is_lost=True)
        raise Silent

    def give_up(self, *, is_lost: bool) -> None:
        """Close it, at once and without a word to the server."""
        self.is_lost = self.is_lost or is_lost
        self.pgconn.finish()

    def meet(self, error: psycopg.Error) -> None:
        """Close it after an error that leaves it useless."""
        failure = failure_of(error)
        if failure.closes:
            self.give_up(is_lost=failure.is_lost)

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
        _conninfo(address, settings),
        autocommit=True,
        prepare_threshold=None if pooler else _PREPARE_AFTER,
    )
    connection.add_notice_handler(connection.note)
    return connection


def connect_to_migrate(address: Address, statement_s: int = MIGRATING_S) -> BoundedConnection:
    """Open a connection that may change the schema, by statements that take long.

    A lock on a table that serves is waited for briefly: whatever comes after waits behind it.

    Args:
        address: The place of the database.
        statement_s: Limit of one statement, in seconds. The server ends it then; a server that does
            not is given up a little later.

    Raises:
        psycopg.Error: None of the servers can be reached, or none is the primary.
    """
    options = f"-c lock_timeout=3s -c statement_timeout={statement_s}s"
    connection = BoundedConnection.connect(_conninfo(address, {"options": options}))
    connection.wait_s = statement_s + WAIT_S
    return connection


def _conninfo(address: Address, settings: Mapping[str, str]) -> str:
    """Return what libpq gets; a name goes with the addresses that it has now."""
    places = joined(resolve(address))
    return make_conninfo("", **_CONNECTING, **settings, **places.parameters)
