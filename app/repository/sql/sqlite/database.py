"""The database on SQLite."""

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from app.domain.errors import StorageUnavailable
from app.domain.findings import Findings
from app.repository.base import Database, DatabaseMisconfigured, Repository, UnitOfWork
from app.repository.sql import schema
from app.repository.sql.schema import SchemaAge
from app.repository.sql.sqlite import files
from app.repository.sql.sqlite.connections import open_connection, reading_engine, writing_engine
from app.repository.sql.sqlite.eraser import Eraser
from app.repository.sql.sqlite.readers import Readers
from app.repository.sql.sqlite.settings import (
    SettingNotInForce,
    make_durable,
    open_reader,
    open_writer,
)
from app.repository.sql.sqlite.writer import Writer
from app.repository.sql.statements import attempt

ERASE_AFTER_S = 20.0

_AGES = {
    SchemaAge.OLDER: "the database is not at the newest migration; run: strongroom db upgrade",
    SchemaAge.NEWER: "the database was made by a newer version of Strongroom.",
    SchemaAge.ABANDONED: (
        "the database was made before the first release and cannot be carried over; "
        "set it aside and run: strongroom init"
    ),
}


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
        self._start()
        _DATABASES.add(self)

    @contextmanager
    def reading(self) -> Iterator[Repository]:
        """Collections that can only be read, outside a transaction."""
        with self._readers.lend() as repository:
            yield repository

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        """A unit of work."""
        with self._writer.transaction() as work:
            try:
                yield work
            finally:
                if work.has_erased:
                    self._eraser.schedule()

    def ping(self) -> None:
        """Read the deployment's row."""
        with self.reading() as repository:
            repository.deployment.get_id()

    def exists(self) -> bool:
        """Whether there is something under the database's name."""
        return os.path.lexists(self._path)

    def check(self) -> Findings:
        """Look at the files, the settings and the schema."""
        findings = Findings(faults=list(files.faults(self._path)) or list(self._faults_inside()))
        findings.saw("database", f"{self._path}, SQLite {sqlite3.sqlite_version}")
        return findings

    def upgrade(self) -> None:
        """Make the database where there is none, and bring its schema to the newest migration."""
        self._make()
        age = self._age()
        if age in {SchemaAge.NEWER, SchemaAge.ABANDONED}:
            raise DatabaseMisconfigured(_say(_AGES[age]))
        if age is SchemaAge.OLDER:
            self._migrate()

    def close(self) -> None:
        """Close all connections."""
        self._eraser.finish()
        self._readers.close()
        self._writer.close()

    def prepare_for_fork(self) -> None:
        """Close what no thread uses at this moment."""
        is_idle = self._readers.close()
        self._is_torn = not (self._writer.close() and is_idle)

    def start_anew(self) -> None:
        """Begin again in a forked child, without touching what belongs to its parent."""
        self._inherited += [self._readers, self._writer, self._eraser]
        self._writer.place.close()
        self._start()

    def go_on(self) -> None:
        """Go on after a fork in the parent, to which all connections belong."""
        self._is_torn = False

    def _start(self) -> None:
        self._readers = Readers(self._path, self._before_open)
        self._writer = Writer(self._path, self._before_open)
        self._eraser = Eraser(self._truncate_log, self._erase_after_s)

    def _before_open(self) -> None:
        if self._is_torn:
            raise StorageUnavailable
        # Who was killed may have left deleted ciphertext in the log.
        with suppress(OSError):
            if files.log_of(self._path).stat().st_size:
                self._eraser.schedule()

    def _truncate_log(self) -> bool:
        try:
            with self._writer.place.hold(), closing(open_writer(self._path)) as connection:
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return bool(busy == 0)
        except (sqlite3.Error, SettingNotInForce, StorageUnavailable):
            return False

    def _migrate(self) -> None:
        engine = writing_engine(self._path)
        with (
            self._writer.place.hold(),
            closing(open_connection(engine)) as connection,
            connection.begin() as transaction,
        ):
            attempt(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
            attempt(lambda: schema.upgrade(connection))
            attempt(transaction.commit)

    def _make(self) -> None:
        try:
            files.create(self._path)
            with self._writer.place.hold():
                make_durable(self._path)
        except files.UnsafeFiles as fault:
            raise DatabaseMisconfigured(str(fault)) from None
        except (OSError, sqlite3.Error, SettingNotInForce):
            raise DatabaseMisconfigured(_say("the database cannot be made or opened.")) from None

    def _faults_inside(self) -> Iterator[str]:
        try:
            open_reader(self._path).close()
            age = self._age()
        except SettingNotInForce as setting:
            yield _say(f"SQLite does not have {setting.name} in force.")
        except (sqlite3.Error, StorageUnavailable):
            yield _say("the database cannot be read.")
        else:
            if age is not SchemaAge.CURRENT:
                yield _say(_AGES[age])

    def _age(self) -> SchemaAge:
        with closing(open_connection(reading_engine(self._path))) as connection:
            return attempt(lambda: schema.age(connection))


def _say(fault: str) -> str:
    return f"{files.SETTING}: {fault}"


_DATABASES: weakref.WeakSet[SqliteDatabase] = weakref.WeakSet()


def _tell_all(what: Callable[[SqliteDatabase], None]) -> None:
    for database in list(_DATABASES):
        what(database)


os.register_at_fork(
    before=lambda: _tell_all(SqliteDatabase.prepare_for_fork),
    after_in_parent=lambda: _tell_all(SqliteDatabase.go_on),
    after_in_child=lambda: _tell_all(SqliteDatabase.start_anew),
)
