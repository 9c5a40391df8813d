"""Finds the primary, and waits for one during a switchover.

A switchover takes about two seconds, in which no server takes writes. A request that waits for its
end succeeds; but where there is no primary for long, waiting would take every thread. So one thread
tries to connect, the others that have a slot of the pool wait for it, and whoever comes then is
refused at once.
"""

import time
from collections.abc import Callable
from threading import Event, Lock

import psycopg

from app.repository.postgresql.connection_faults import explain_connecting
from app.repository.postgresql.connections import BoundedConnection
from backends.calls.request_deadline import is_in_request, seconds_remaining

PATIENCE_S = 4.0
"""Limit of the wait for a primary."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.4


class NoPrimary(psycopg.OperationalError):
    """No server took a connection as the primary."""


class Primary:
    """Connects to the primary.

    Args:
        connect: Tries to connect once.

    Attributes:
        fault: One sentence about the last try that failed.
    """

    def __init__(self, connect: Callable[[], BoundedConnection]) -> None:
        self._connect = connect
        self._turn = Lock()
        self.fault: str | None = None
        self._is_there = Event()
        self._is_there.set()

    @property
    def is_there(self) -> bool:
        """False after nobody could connect, until somebody can."""
        return self._is_there.is_set()

    def connect(self) -> BoundedConnection:
        """Connect; during a request, wait for a primary.

        Raises:
            psycopg.Error: It was not possible in time. The text may name the address.
        """
        end = time.monotonic() + (seconds_remaining(PATIENCE_S) if is_in_request() else 0)
        if self.is_there and (connection := self._try()):
            return connection
        if not self._turn.acquire(blocking=False):
            return self._follow(end)
        try:
            return self._lead(end)
        finally:
            self._turn.release()

    def _try(self) -> BoundedConnection | None:
        try:
            connection = self._connect()
        except psycopg.Error as error:
            self.fault = explain_connecting(error)
            self._is_there.clear()
            return None
        self._is_there.set()
        return connection

    def _lead(self, end: float) -> BoundedConnection:
        pause = _FIRST_PAUSE_S
        while not (connection := self._try()):
            if time.monotonic() + pause > end:
                raise NoPrimary
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        return connection

    def _follow(self, end: float) -> BoundedConnection:
        if not self._is_there.wait(max(end - time.monotonic(), 0)):
            raise NoPrimary
        return self._connect()
