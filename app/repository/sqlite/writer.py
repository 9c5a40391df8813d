"""The writer: one connection of this process, used by one unit of work at a time."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from app.domain.errors import StorageUnavailable
from app.repository.sql.collections import SqlUnitOfWork
from app.repository.sql.driver.statements import PreparedStatements, Statements
from app.repository.sqlite import writer_place
from app.repository.sqlite.commit_group import CommitGroup
from app.repository.sqlite.connections import open_connection, statements_dialect, writing_engine
from app.repository.sqlite.disk.numbering import Numbering, open_numbering
from app.repository.sqlite.failures import translate
from app.repository.sqlite.writer_place import FairLock, WriterPlace


class Writer:
    """Begins units of work, in the order of asking; those that wait share the next commit.

    Args:
        path: The database file.
        before_open: Called before a connection is opened; may refuse. The writer has its place.
        after_erasing: Called when ciphertext was deleted or replaced.

    Attributes:
        after_use: Called after each unit of work, if it is set.
    """

    def __init__(
        self, path: Path, before_open: Callable[[], None], after_erasing: Callable[[], None]
    ) -> None:
        self._path = path
        self._before_open = before_open
        self._after_erasing = after_erasing
        self._engine = writing_engine(path)
        self._prepared = PreparedStatements(statements_dialect())
        self._connection: Connection | None = None
        self._numbering: Numbering | None = None
        self._turns = FairLock()
        self._group: CommitGroup | None = None
        self.place = WriterPlace(path)
        self.after_use: Callable[[], object] | None = None

    @contextmanager
    def transaction(self) -> Iterator[SqlUnitOfWork]:
        """A unit of work, rolled back unless it commits.

        Raises:
            StorageUnavailable: There is no database, or another writer is busy for too long.
        """
        try:
            connection, group = self._join()
            commit = partial(self._leave, group, group.keep_unit)
            cursor = connection.connection.cursor()
            statements = Statements(
                cursor, sqlite3.Error, self._prepared, locks=False, translate=translate
            )
            work = SqlUnitOfWork(statements, commit)
            try:
                yield work
            finally:
                if work.statements.has_erased:
                    self._after_erasing()
                group.has_failed |= work.statements.has_failed
                if not work.has_ended:
                    work.end()
                    self._leave(group, group.undo_unit)
        finally:
            if self.after_use is not None:
                self.after_use()

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
        if self._group is not None and self._connection is not None:
            self._begin_next(self._group)
            return self._connection, self._group
        try:
            self.place.take(deadline)
        except StorageUnavailable:
            self._turns.release()
            raise
        try:
            if self._connection is None or self._numbering is None:
                self._connection, self._numbering = self._open()
            self._group = CommitGroup(self._numbering)
        except BaseException:
            self._drop()
            self._give_up_place()
            raise
        return self._connection, self._group

    def _begin_next(self, group: CommitGroup) -> None:
        try:
            group.begin_next()
        except StorageUnavailable:
            self._end(group)
            raise

    def _leave(self, group: CommitGroup, end_unit: Callable[[], None]) -> None:
        """Let the next unit of work in or, where none waits, end the group; wait for its end."""
        is_passed_on = False
        try:
            end_unit()
            is_passed_on = group.takes_more and self._turns.pass_on()
        finally:
            if not is_passed_on:
                self._end(group)
        if is_passed_on or group.has_failed:
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

    def _open(self) -> tuple[Connection, Numbering]:
        self._before_open()
        connection = open_connection(self._engine)
        try:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the engine's own
            return connection, open_numbering(driver, self._path)
        except BaseException:
            connection.close()
            raise

    def _drop(self) -> None:
        numbering, self._numbering = self._numbering, None
        connection, self._connection = self._connection, None
        if numbering is not None:
            numbering.close()
        if connection is not None:
            connection.close()
