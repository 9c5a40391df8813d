"""Group commit: several units of work, one after the other, made durable by one commit."""

import sqlite3
import threading
import time

from app.domain.errors import StorageUnavailable
from app.repository.sql.driver.statements import cause_of
from app.repository.sqlite.disk.numbering import Numbering

LONGEST_S = 0.01
"""The seconds for which a group takes in more writers, while other processes wait."""


class CommitGroup:
    """Units of work in one transaction, each after the first in a savepoint of its own.

    Most groups have one unit of work, which is undone by undoing the transaction.

    One may read what another left before it, which is not durable yet. So from the first change on
    none returns before the commit, and all fail if that fails.

    The group begins with its first unit of work.

    Args:
        numbering: Begins the transaction on its connection.

    Attributes:
        has_failed: Whether the connection has failed, so that it should not be used again.

    Raises:
        StorageUnavailable: No transaction could be begun.
    """

    def __init__(self, numbering: Numbering) -> None:
        numbering.begin()
        self._numbering = numbering
        self._began = time.monotonic()
        self._is_in_savepoint = False
        self._has_changes = False
        self._is_undone = False
        self._is_lost = False
        self._cause: str | None = None
        self._is_over = threading.Event()
        self.has_failed = False

    @property
    def takes_more(self) -> bool:
        """Return True if another unit of work may follow."""
        is_young = time.monotonic() - self._began < LONGEST_S
        return is_young and not (self._is_undone or self._is_lost or self.has_failed)

    def begin_next(self) -> None:
        """Begin another unit of work, when no other is in progress.

        Raises:
            StorageUnavailable: It cannot be begun, and the group is lost.
        """
        self._is_in_savepoint = True
        self._run("SAVEPOINT unit")
        self._raise_if_lost()

    def keep_unit(self) -> None:
        """End the unit of work in progress; its changes become durable with the group."""
        if self._is_in_savepoint:
            self._run("RELEASE unit")
        self._has_changes = True

    def undo_unit(self) -> None:
        """End the unit of work in progress, and undo its changes."""
        if self._is_in_savepoint:
            self._run("ROLLBACK TO unit")
            self._run("RELEASE unit")
        else:
            self._is_undone = True

    def end(self) -> None:
        """Make everything durable, and let go who waits for it."""
        is_committed = self._has_changes and not self._is_lost
        try:
            self._run("COMMIT" if is_committed else "ROLLBACK")
        finally:
            self._is_over.set()
        if is_committed and not self._is_lost:
            self._numbering.end()

    def wait(self) -> None:
        """Wait until what the caller wrote, or may have read, is durable.

        Raises:
            StorageUnavailable: It never will be.
        """
        if self._has_changes:
            self._is_over.wait()
        self._raise_if_lost()

    def _raise_if_lost(self) -> None:
        if self._is_lost:
            raise StorageUnavailable(self._cause)

    def _run(self, statement: str) -> None:
        """Run a statement; if it fails, the group is lost."""
        try:
            self._numbering.connection.execute(statement)
        except sqlite3.Error as error:
            self._is_lost = self.has_failed = True
            self._cause = self._cause or cause_of(error)
