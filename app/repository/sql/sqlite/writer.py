"""The writer: one connection of this process, used by whoever holds the writer's place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from app.domain.errors import StorageUnavailable
from app.repository.sql.collections import SqlUnitOfWork
from app.repository.sql.prepared import PreparedStatements
from app.repository.sql.sqlite.connections import open_connection, writing_engine
from app.repository.sql.sqlite.writer_place import WriterPlace
from app.repository.sql.statements import attempt


class Writer:
    """Begins write transactions, one at a time.

    Args:
        path: The database file.
        before_open: Called before a connection is opened; may refuse.
    """

    def __init__(self, path: Path, before_open: Callable[[], None]) -> None:
        self._before_open = before_open
        self._engine = writing_engine(path)
        self._prepared = PreparedStatements(self._engine.dialect)
        self._connection: Connection | None = None
        self.place = WriterPlace(path)

    @contextmanager
    def transaction(self) -> Iterator[SqlUnitOfWork]:
        """A unit of work, rolled back unless it commits.

        Raises:
            StorageUnavailable: There is no database, or another writer is busy for too long.
        """
        with self.place.hold():
            work = self._begin()
            try:
                yield work
            finally:
                self._end(work)

    def close(self) -> bool:
        """Close the connection unless a thread uses it; whether none does."""
        with self.place.if_free() as is_free:
            if is_free:
                self._drop()
                self.place.close()
        return is_free

    def _begin(self) -> SqlUnitOfWork:
        if self._connection is None:
            self._before_open()
            self._connection = open_connection(self._engine)
        connection = self._connection
        try:
            return SqlUnitOfWork(connection, self._prepared, attempt(connection.begin))
        except StorageUnavailable:
            self._drop()
            raise

    def _end(self, work: SqlUnitOfWork) -> None:
        try:
            work.roll_back()
        except StorageUnavailable:
            self._drop()
            raise
        if work.has_failed:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
