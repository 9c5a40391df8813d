"""The writer: one connection of this process, used by one unit of work at a time."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from app.domain.errors import StorageUnavailable
from app.repository.sql.collections import SqlUnitOfWork
from app.repository.sql.driver.statements import PreparedStatements
from app.repository.sqlite import writer_place
from app.repository.sqlite.commit_group import CommitGroup
from app.repository.sqlite.connections import open_connection, writing_engine
from app.repository.sqlite.disk.numbering import Numbering, open_numbering
from app.repository.sqlite.writer_place import FairLock, WriterPlace


class Writer:
    """Begins units of work, in the order of asking; those that wait share the next commit.

    Args:
        path: The database file.
        before_open: Called before a connection is opened; may refuse. The writer has its place.
    """

    def __init__(self, path: Path, before_open: Callable[[], None]) -> None:
        self._path = path
        self._before_open = before_open
        self._engine = writing_engine(path)
        self._prepared = PreparedStatements(self._engine.dialect)
        self._connection: Connection | None = None
        self._numbering: Numbering | None = None
        self._turns = FairLock()
        self._group: CommitGroup | None = None
        self.place = WriterPlace(path)

    @contextmanager
    def transaction(self) -> Iterator[SqlUnitOfWork]:
        """A unit of work, rolled back unless it commits.

        Raises:
            StorageUnavailable: There is no database, or another writer is busy for too long.
        """
        connection, group = self._join()
        unit = _Unit(group, self._leave)
        work = SqlUnitOfWork(connection, self._prepared, unit)
        try:
            yield work
        finally:
            group.has_failed |= work.statements.has_failed
            if not unit.has_ended:
                work.roll_back()

    def close(self) -> bool:
        """Close the connection unless a thread uses it; whether none does."""
        if not self._turns.acquire(0):
            return False
        try:
            with self.place.if_free() as is_free:
                if is_free:
                    self._drop()
                    self.place.close()
            return is_free
        finally:
            self._turns.release()

    def _join(self) -> tuple[Connection, CommitGroup]:
        """Begin a unit of work in the group that the one before left open, or in a new one."""
        deadline = time.monotonic() + writer_place.WAIT_S
        if not self._turns.acquire(writer_place.WAIT_S):
            raise StorageUnavailable(writer_place.BUSY)
        connection, group = self._open_group(deadline)
        try:
            group.begin_unit()
        except StorageUnavailable:
            self._leave(group)
            raise
        return connection, group

    def _open_group(self, deadline: float) -> tuple[Connection, CommitGroup]:
        if self._group is not None and self._connection is not None:
            return self._connection, self._group
        try:
            self.place.take(deadline)
        except StorageUnavailable:
            self._turns.release()
            raise
        try:
            connection = self._connected()
            self._group = CommitGroup(self._numbered(connection))
        except BaseException:
            self._drop()
            self._give_up_place()
            raise
        return connection, self._group

    def _leave(self, group: CommitGroup) -> None:
        """Let the next unit of work in or, where none waits, end the group; wait for its end."""
        if not (group.takes_more and self._turns.pass_on()):
            self._end(group)
        group.wait()

    def _end(self, group: CommitGroup) -> None:
        self._group = None
        try:
            group.end()
            if group.has_failed:
                self._drop()
        finally:
            self._give_up_place()

    def _give_up_place(self) -> None:
        self.place.leave()
        self._turns.release()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._before_open()
            self._connection = open_connection(self._engine)
        return self._connection

    def _numbered(self, connection: Connection) -> Numbering:
        if self._numbering is None:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the engine's own
            self._numbering = open_numbering(driver, self._path)
        return self._numbering

    def _drop(self) -> None:
        numbering, self._numbering = self._numbering, None
        connection, self._connection = self._connection, None
        if numbering is not None:
            numbering.close()
        if connection is not None:
            connection.close()


class _Unit:
    """One unit of work's part in its group.

    Args:
        leave: Makes way for the next, and waits for what this one may depend on.
    """

    def __init__(self, group: CommitGroup, leave: Callable[[CommitGroup], None]) -> None:
        self._group = group
        self._leave = leave
        self.has_ended = False

    def commit(self) -> None:
        """Make its changes durable."""
        self._end(self._group.keep_unit)

    def roll_back(self) -> None:
        """Undo its changes unless they were committed."""
        if not self.has_ended:
            self._end(self._group.undo_unit)

    def _end(self, how: Callable[[], None]) -> None:
        self.has_ended = True
        try:
            how()
        finally:
            self._leave(self._group)
