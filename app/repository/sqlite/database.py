"""The database on SQLite."""

import os
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from app.domain.errors import StorageUnavailable
from app.domain.operations.backups import BackupContents
from app.domain.operations.findings import Findings
from app.domain.operations.measurements import ConnectionUse, DatabaseSize
from app.domain.operations.system_errors import name_of
from app.repository.base import Database, DatabaseMisconfigured, Replacement, Repository, UnitOfWork
from app.repository.sql import schema
from app.repository.sql.collections import SqlRepository
from app.repository.sql.driver.statements import PreparedStatements, Statements, attempt
from app.repository.sql.schema import AGES, USABLE, SchemaAge
from app.repository.sqlite.anchor import Anchor
from app.repository.sqlite.connections import (
    available,
    open_connection,
    reading_engine,
    statements_dialect,
    writing_engine,
)
from app.repository.sqlite.disk import files
from app.repository.sqlite.disk.backup import read_contents, write_backup
from app.repository.sqlite.disk.log_number import (
    ForeignLog,
    commit_final_number,
    is_own_log,
    renumber,
)
from app.repository.sqlite.disk.new_file import name_beside
from app.repository.sqlite.disk.place import look_at_place
from app.repository.sqlite.disk.replacement import replacing
from app.repository.sqlite.eraser import Eraser
from app.repository.sqlite.failures import explain, is_damage, translate
from app.repository.sqlite.settings import (
    SettingNotInForce,
    make_durable,
    open_writer,
)
from app.repository.sqlite.writer import Writer

ERASE_AFTER_S = 20.0


class _Readers:
    """Lends repositories on connections that cannot write, each to one thread at a time.

    There are as many connections as were ever used at once.

    Args:
        path: The database file.
        before_open: Called before a connection is opened; may refuse.

    Attributes:
        after_use: Called when a repository is given back, if it is set.
    """

    def __init__(self, path: Path, before_open: Callable[[], None]) -> None:
        self._before_open = before_open
        self._engine = reading_engine(path)
        self._prepared = PreparedStatements(statements_dialect())
        self._idle: deque[_Reader] = deque()
        self._in_use: set[_Reader] = set()
        self.after_use: Callable[[], object] | None = None

    @contextmanager
    def lend(self) -> Iterator[SqlRepository]:
        """A repository for the time of a ``with`` block."""
        try:
            repository = self._take()
            self._in_use.add(repository)
            try:
                yield repository
            finally:
                self._in_use.discard(repository)
                if repository.statements.has_failed:
                    repository.connection.close()
                else:
                    self._idle.append(repository)
        finally:
            if self.after_use is not None:
                self.after_use()

    @property
    def in_use(self) -> int:
        """The number of repositories in use."""
        return len(self._in_use)

    def close(self) -> bool:
        """Close every idle connection, and return True if these are all."""
        while self._idle:
            self._idle.pop().connection.close()
        return not self._in_use

    def _take(self) -> "_Reader":
        with suppress(IndexError):
            return self._idle.pop()
        self._before_open()
        return _Reader(open_connection(self._engine), self._prepared)


class _Reader(SqlRepository):
    def __init__(self, connection: Connection, prepared: PreparedStatements) -> None:
        cursor = connection.connection.cursor()
        super().__init__(
            Statements(cursor, sqlite3.Error, prepared, locks=False, translate=translate)
        )
        self.connection = connection


class SqliteDatabase(Database):
    """One SQLite file.

    Connections do not survive a fork (https://www.sqlite.org/howtocorrupt.html): those that are
    idle are closed before it, and the child begins with none. If any was in use, SQLite in the
    child believes in locks that only the parent holds, and the child is refused the database.

    Args:
        path: The database file, absolute.
        erase_after_s: How long deleted ciphertext may stay in the write-ahead log, in seconds.
    """

    def __init__(self, path: Path, erase_after_s: float = ERASE_AFTER_S) -> None:
        self._path = path
        self._erase_after_s = erase_after_s
        self._inherited: list[object] = []
        self._is_torn = False
        self._is_closed = False
        self._start()
        _DATABASES.add(self)

    def reading(self) -> AbstractContextManager[Repository]:
        """Collections that can only be read, outside a transaction."""
        return self._readers.lend()

    def writing(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work."""
        return self._writer.transaction()

    def ping(self) -> None:
        """Read the deployment's row."""
        with self.reading() as repository:
            repository.deployment.get_id()

    def exists(self) -> bool:
        """Return True if a file of the database's name exists."""
        return os.path.lexists(self._path)

    def check(self) -> Findings:
        """Look at the files, the settings, the schema, the pages and the disk."""
        findings = Findings(faults=list(files.faults(self._path)) or self._faults_inside())
        findings.saw("database", f"{self._path}, SQLite {sqlite3.sqlite_version}")
        findings.include(look_at_place(self._path))
        return findings

    def size(self) -> DatabaseSize:
        """Measure the file and its log, and the room on their disk."""
        return files.size_of(self._path)

    def connections(self) -> ConnectionUse:
        """Count the connections that read now: as many are opened as threads read at once."""
        return ConnectionUse(self._readers.in_use, None)

    def back_up(self, file: Path) -> BackupContents:
        """Write what is committed now to a new file, whole or not at all, while others write."""
        self._before_open(has_place=False)
        write_backup(self._path, file)
        return read_contents(file)

    def replacing(self, file: Path, *, replace: bool) -> AbstractContextManager[Replacement]:
        """A verified copy of a backup, to be put in the place of the database."""
        return replacing(self._path, file, SqliteDatabase, replace=replace)

    def upgrade(self) -> Path | None:
        """Make the database where there is none, and bring its schema to the newest migration."""
        self._make()
        age = self._age()
        if age in {SchemaAge.NEWER, SchemaAge.ABANDONED}:
            raise DatabaseMisconfigured(_say(AGES[age]))
        if age is not SchemaAge.OLDER:
            return None
        backup = self._back_up_before_migration()
        self._migrate()
        return backup

    def open_connection(self) -> Connection:
        """Open a connection of its own, for an operator's work on whole tables."""
        self._before_open(has_place=False)
        return open_connection(writing_engine(self._path))

    @contextmanager
    def transaction_on(self, connection: Connection) -> Iterator[None]:
        """Begin a transaction on such a connection, in the writer's place; commit it at the end."""
        with self._writer.place.hold(), connection.begin() as transaction:
            attempt(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
            attempt(lambda: renumber(connection.exec_driver_sql, final=True))
            yield
            attempt(transaction.commit)

    def close(self) -> None:
        """Close all connections, those in use as soon as they are given back.

        The last process that closes the database empties and removes the log; any other one
        finishes its erasures. Takes a few seconds at most.
        """
        self._is_closed = True
        self._close_after_use()
        self._let_go()
        self._eraser.finish()

    def prepare_for_fork(self) -> None:
        """Close what no thread uses at this moment."""
        self._is_torn = not self._let_go()

    def start_anew(self) -> None:
        """Begin again in a forked child, without touching what belongs to its parent."""
        self._inherited += [self._readers, self._writer, self._eraser, self._anchor]
        self._writer.place.close()
        self._start()

    def go_on(self) -> None:
        """Go on after a fork in the parent, to which all connections belong."""
        self._is_torn = False

    def _start(self) -> None:
        self._eraser = Eraser(self._truncate_log, self._erase_after_s)
        self._readers = _Readers(self._path, partial(self._before_open, has_place=False))
        self._writer = Writer(
            self._path, partial(self._before_open, has_place=True), self._eraser.schedule
        )
        self._anchor = Anchor(self._path, self._writer.place)
        if self._is_closed:
            self._close_after_use()

    def _close_after_use(self) -> None:
        self._readers.after_use = self._writer.after_use = self._let_go

    def _before_open(self, *, has_place: bool) -> None:
        if self._is_torn:
            raise StorageUnavailable("The process forked while the database was in use.")
        self._anchor.open(has_place=has_place)
        # Who was killed may have left deleted ciphertext in the log.
        if not self._is_closed and self._has_log():
            self._eraser.schedule()

    def _has_log(self) -> bool:
        """Return whether there is anything in the log."""
        with suppress(OSError):
            return files.log_of(self._path).stat().st_size > 0
        return False

    def _let_go(self) -> bool:
        """Close what no thread uses at this moment. Returns whether that was all."""
        has_readers = not self._readers.close()
        has_writer = not self._writer.close()
        if has_readers or has_writer:
            return False
        self._anchor.close()
        return True

    def _truncate_log(self) -> bool:
        try:
            with self._writer.place.hold(), closing(open_writer(self._path)) as connection:
                if self._has_log():
                    commit_final_number(connection.execute)
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return bool(busy == 0)
        except (sqlite3.Error, SettingNotInForce, StorageUnavailable):
            return False

    def _back_up_before_migration(self) -> Path | None:
        with closing(open_connection(reading_engine(self._path))) as connection:
            if attempt(lambda: schema.is_empty(connection)):
                return None
        file = name_beside(self._path, "before-upgrade")
        write_backup(self._path, file)
        return file

    def _migrate(self) -> None:
        engine = writing_engine(self._path)
        with (
            closing(open_connection(engine)) as connection,
            self.transaction_on(connection),
        ):
            attempt(lambda: schema.upgrade(connection))

    def _make(self) -> None:
        try:
            available(self._create)
        except StorageUnavailable as error:
            cause = str(error.cause)
        else:
            return
        if not cause.startswith(files.SETTING):
            cause = f"the database cannot be made or opened ({cause})."
        raise DatabaseMisconfigured(_say(cause))

    def _create(self) -> None:
        files.create(self._path)
        with self._writer.place.hold():
            if not is_own_log(self._path):
                raise ForeignLog
            make_durable(self._path)

    def _faults_inside(self) -> list[str]:
        try:
            age = self._age()
            if age not in USABLE:
                return [_say(AGES[age])]
            if self._is_damaged():
                return [_say(explain("SQLITE_CORRUPT"))]
            self._prove_that_commits_last()
            files.require_room(self._path)
        except StorageUnavailable as error:
            return [_say(explain(error.cause))]
        except OSError as error:
            return [_say(f"the disk cannot take {files.ROOM_BYTES} bytes ({name_of(error)}).")]
        return []

    def _age(self) -> SchemaAge:
        self._before_open(has_place=False)
        with closing(open_connection(reading_engine(self._path))) as connection:
            return attempt(lambda: schema.age(connection))

    def _is_damaged(self) -> bool:
        """Return True if the pages of the file are damaged. Single rows are not checked."""
        self._before_open(has_place=False)
        with closing(open_connection(reading_engine(self._path))) as connection:
            found = attempt(lambda: connection.exec_driver_sql("PRAGMA quick_check").fetchall())
        return any(is_damage(line) for (line,) in found)

    def _prove_that_commits_last(self) -> None:
        """Commit a number: what is rolled back never reaches the disk."""
        engine = writing_engine(self._path)
        with self._writer.place.hold(), closing(open_connection(engine)) as connection:
            attempt(lambda: commit_final_number(connection.exec_driver_sql))


def _say(fault: str) -> str:
    return fault if fault.startswith(files.SETTING) else f"{files.SETTING}: {fault}"


_DATABASES: weakref.WeakSet[SqliteDatabase] = weakref.WeakSet()


def _tell_all(what: Callable[[SqliteDatabase], None]) -> None:
    for database in list(_DATABASES):
        what(database)


os.register_at_fork(
    before=lambda: _tell_all(SqliteDatabase.prepare_for_fork),
    after_in_parent=lambda: _tell_all(SqliteDatabase.go_on),
    after_in_child=lambda: _tell_all(SqliteDatabase.start_anew),
)
