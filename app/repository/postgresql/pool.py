"""The connections of a process, used by one thread at a time and replaced by generation.

Where one connection was lost, all others of its age were, or will be soon. So the first thread that
meets a loss makes every idle connection of that generation worthless, and nobody else meets it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from app.domain.errors import StorageUnavailable
from app.repository.postgresql.connections import BoundedConnection

_FULL_S = 1.0
_OLDEST_S = 30 * 60
_GENERATION = "generation"


class Pool:
    """Connections, at most ``size`` of them, made when they are needed.

    Args:
        connect: Opens one.
        size: How many there may be.
    """

    def __init__(self, connect: Callable[[], BoundedConnection], size: int) -> None:
        self._generation = 0
        self._pool = QueuePool(
            cast("Callable[[], DBAPIConnection]", connect),
            pool_size=size,
            max_overflow=0,
            timeout=_FULL_S,
            recycle=_OLDEST_S,
            use_lifo=True,
            reset_on_return=None,
        )

    @contextmanager
    def borrow(self) -> Iterator["Borrowed"]:
        """Give a connection for the time of a ``with`` block.

        Raises:
            StorageUnavailable: None is free in time, or none can be made.
        """
        borrowed = Borrowed(self)
        try:
            yield borrowed
        finally:
            borrowed.give_back()

    def take(self) -> PoolProxiedConnection:
        """Take a connection of the newest generation."""
        while True:
            proxy = self._connect()
            made_in = proxy.info.setdefault(_GENERATION, self._generation)
            if made_in == self._generation:
                return proxy
            proxy.invalidate()

    def lose(self, proxy: PoolProxiedConnection) -> None:
        """Drop a connection that was lost, and all others of its age when they are met."""
        if proxy.info[_GENERATION] == self._generation:
            self._generation += 1
        proxy.invalidate()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._generation += 1
        self._pool.dispose()

    def _connect(self) -> PoolProxiedConnection:
        try:
            return self._pool.connect()
        except NoneFree:
            cause: str | None = "Every connection to the database is in use."
        except psycopg.Error as error:
            cause = error.sqlstate
        # Outside the handler: the driver's error names the address.
        raise StorageUnavailable(cause)


class Borrowed:
    """One borrowed connection, which may be exchanged for a new one."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._proxy: PoolProxiedConnection | None = pool.take()

    @property
    def connection(self) -> BoundedConnection:
        """The connection at this moment."""
        connection: object = None if self._proxy is None else self._proxy.dbapi_connection
        assert isinstance(connection, BoundedConnection)  # noqa: S101 - the pool's own
        return connection

    def exchange(self) -> None:
        """Replace a connection that was lost."""
        lost, self._proxy = self._proxy, None
        if lost is not None:
            self._pool.lose(lost)
        self._proxy = self._pool.take()

    def give_back(self) -> None:
        """Return it to the pool, or drop it if it was lost."""
        if self._proxy is None:
            return
        if self.connection.closed:
            self._pool.lose(self._proxy)
        else:
            self._proxy.close()
