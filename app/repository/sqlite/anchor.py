"""One connection that stays open as long as this process uses the database.

It is opened first, after the log was found to be the database's own. While it is open, its lock on
the file tells others that the database is in use, so nobody puts another one in its place.
The last process that closes its anchor makes SQLite empty and remove the log
(https://www.sqlite.org/wal.html).
"""

import sqlite3
import threading
from contextlib import nullcontext
from pathlib import Path

from app.repository.sqlite.connections import available
from app.repository.sqlite.disk import files
from app.repository.sqlite.disk.log_number import NO_NUMBER, ForeignLog, is_own_log, number_of
from app.repository.sqlite.settings import make_durable, open_reader
from app.repository.sqlite.writer_place import WriterPlace


class Anchor:
    """Opens the database for this process, and keeps it open.

    Args:
        path: The database file.
        place: The writer's place, which keeps all others from writing.
    """

    def __init__(self, path: Path, place: WriterPlace) -> None:
        self._path = path
        self._place = place
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self, *, has_place: bool) -> None:
        """Open it unless it is open; call this before any other connection is opened.

        Args:
            has_place: Whether the caller has the writer's place.

        Raises:
            StorageUnavailable: There is no database, it is unsafe, its log is not its own, or it
                cannot be opened.
        """
        if self._connection is None:
            available(lambda: self._open_or_settle(has_place=has_place))

    def close(self) -> None:
        """Close it; the next opening opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open_or_settle(self, *, has_place: bool) -> None:
        if not self._try_to_open():
            with nullcontext() if has_place else self._place.hold():
                self._settle()

    def _try_to_open(self) -> bool:
        """Open it if number and log fit together. They seem not to while others write."""
        with self._lock:
            if self._connection is None:
                files.require_safe(self._path)
                if number_of(self._path) == NO_NUMBER or not is_own_log(self._path):
                    return False
                self._connection = _open(self._path)
        return True

    def _settle(self) -> None:
        """Decide while nobody writes whether the log is the database's own, and open it."""
        with self._lock:
            if self._connection is None:
                if not is_own_log(self._path):
                    raise ForeignLog
                if number_of(self._path) == NO_NUMBER:
                    make_durable(self._path)
                self._connection = _open(self._path)


def _open(path: Path) -> sqlite3.Connection:
    identity = _identity(path)
    connection = open_reader(path)
    try:
        # The first read takes the lock, which a connection with a log keeps.
        connection.execute("PRAGMA schema_version").close()
        _refuse_another(path, identity)
    except BaseException:
        connection.close()
        raise
    return connection


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _refuse_another(path: Path, identity: tuple[int, int]) -> None:
    if _identity(path) != identity:
        raise files.UnsafeFiles("The database was replaced at this moment.")
