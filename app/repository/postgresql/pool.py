"""The connections of a process, used by one thread at a time and replaced by generation.

Where one connection was lost, all others of its age were, or will be soon. So the first thread that
meets a loss makes every idle connection of that generation worthless, and nobody else meets it.

The pool is a bulkhead, too: a thread takes a slot before it takes a connection. There are as many
slots as connections, so few threads wait for the database, and the others serve what needs none.
"""

from collections.abc import Callable
from threading import BoundedSemaphore
from typing import cast

import psycopg
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from app.domain.errors import StorageUnavailable
from app.repository.postgresql.connection_faults import NONE_FREE
from app.repository.postgresql.connections import BoundedConnection
from app.repository.postgresql.failures import report_exhausted
from app.repository.postgresql.finding.primary import Primary
from backends.calls.request_deadline import seconds_remaining

FULL_S = 1.0
"""Limit of the wait for a slot, where slots become free at all."""

OLDEST_S = 30 * 60
"""Limit of a connection's age: what a firewall or a balancer forgets is replaced before."""


class Pool:
    """Connections, at most ``size`` of them, made when they are needed.

    Args:
        connect: Tries to open one.
        size: How many there may be.
        oldest_s: The age at which one is replaced, in seconds.
    """

    def __init__(
        self, connect: Callable[[], BoundedConnection], size: int, oldest_s: int = OLDEST_S
    ) -> None:
        self._connect = connect
        self._primary = Primary(self._open)
        self._generation = 0
        self._slots = BoundedSemaphore(size)
        self._is_patient = True
        self._pool = QueuePool(
            cast("Callable[[], DBAPIConnection]", self._primary.connect),
            pool_size=size,
            max_overflow=0,
            recycle=oldest_s,
            use_lifo=True,
            reset_on_return=None,
        )

    @property
    def in_use(self) -> int:
        """The number of connections in use."""
        return self._pool.checkedout()

    def borrow(self) -> "Borrowed":
        """Take a connection, which must be given back.

        Raises:
            StorageUnavailable: None is free in time, or none can be made.
        """
        self._enter()
        try:
            return Borrowed(self, self.take())
        except BaseException:
            self._slots.release()
            raise

    def take(self) -> PoolProxiedConnection:
        """Take a connection of the newest generation."""
        while True:
            proxy = self._connected()
            if connection_of(proxy).generation == self._generation:
                return proxy
            proxy.invalidate()

    def drop(self, proxy: PoolProxiedConnection) -> None:
        """Drop a connection that was closed; if it was lost, all others of its age when met."""
        connection = connection_of(proxy)
        if connection.is_lost and connection.generation == self._generation:
            self._generation += 1
        proxy.invalidate()

    def give_back(self, proxy: PoolProxiedConnection) -> None:
        """Keep a connection for others, unless it is closed or old."""
        connection = connection_of(proxy)
        if connection.closed or connection.generation != self._generation:
            self.drop(proxy)
        else:
            proxy.close()

    def free_slot(self) -> None:
        """Let another thread have the slot."""
        self._is_patient = True
        self._slots.release()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._generation += 1
        self._pool.dispose()

    def _enter(self) -> None:
        """Take a slot. Nobody queues for one after a thread that queued in vain."""
        if self._slots.acquire(blocking=False):
            return
        waits = self._primary.is_there and self._is_patient
        if not self._slots.acquire(timeout=seconds_remaining(FULL_S) if waits else 0):
            self._is_patient = False
            raise StorageUnavailable("Every connection to the database is in use.", retry_after=1)

    def _open(self) -> BoundedConnection:
        generation = self._generation
        connection = self._connect()
        connection.generation = generation
        return connection

    def _connected(self) -> PoolProxiedConnection:
        try:
            return self._pool.connect()
        except psycopg.Error:
            fault = self._primary.fault
        # Outside the handler: the driver's error names the address.
        if fault == NONE_FREE:
            report_exhausted(fault)
        raise StorageUnavailable(fault)


class Borrowed:
    """One borrowed connection, which may be exchanged for a new one."""

    def __init__(self, pool: Pool, proxy: PoolProxiedConnection) -> None:
        self._pool = pool
        self._proxy: PoolProxiedConnection | None = proxy
        self.connection = connection_of(proxy)

    def exchange(self) -> None:
        """Replace a connection that was lost."""
        lost, self._proxy = self._proxy, None
        if lost is not None:
            self._pool.drop(lost)
        self._proxy = self._pool.take()
        self.connection = connection_of(self._proxy)

    def give_back(self) -> None:
        """Return it to the pool, or drop it if it was closed."""
        proxy, self._proxy = self._proxy, None
        try:
            if proxy is None:
                return
            self._pool.give_back(proxy)
        finally:
            self._pool.free_slot()


def connection_of(proxy: PoolProxiedConnection) -> BoundedConnection:
    """Return the pool's connection as what it is."""
    connection: object = proxy.dbapi_connection
    assert isinstance(connection, BoundedConnection)  # noqa: S101 - the pool's own
    return connection
