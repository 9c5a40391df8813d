"""Puts a backup in the place of a database: verified beside it, swapped in one step, undoable."""

import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from app.domain.errors import BackupDamaged, FileRefused, StorageUnavailable
from app.domain.operations.backups import BackupContents, OpenTokens
from app.repository.base import Database, DatabaseMisconfigured, Replacement
from app.repository.sql.driver.statements import cause_of
from app.repository.sqlite.disk import files
from app.repository.sqlite.disk.backup import read_contents
from app.repository.sqlite.disk.log_number import is_own_log
from app.repository.sqlite.disk.new_file import (
    name_beside,
    named_errors,
    remove_all,
    sync_directory,
    sync_file,
)
from app.repository.sqlite.failures import is_damage
from app.repository.sqlite.settings import SettingNotInForce, make_durable, open_writer
from app.repository.sqlite.writer_place import WriterPlace

# Every connection with a log holds a shared lock on these bytes: https://www.sqlite.org/src, os.h
_SHARED_AT, _SHARED_BYTES = 0x40000002, 510
_KEPT_BESIDE = ("-wal", "-journal")
_NO_WORKERS = "DELETE FROM workers"  # those of the backup's time tell nothing of now
_DROP_INJECTIONS = "DELETE FROM injections WHERE state = 'pending'"
_DROP_TOKENS = "DELETE FROM gateway_tokens WHERE state = 'live'"


@contextmanager
def replacing(
    path: Path, file: Path, open_database: Callable[[Path], Database], *, replace: bool
) -> Iterator[Replacement]:
    """See ``Database.replacing``.

    Args:
        open_database: Makes the database at a path.
    """
    _prepare(path, replace=replace)
    draft = path.with_name(f".{path.name}.restored")
    with _claimed(draft):
        with named_errors(file):
            _copy(file, draft)
        _verify(draft)
        database = open_database(draft)
        try:
            _upgrade(database)
            yield _Replacement(path, draft, database)
        finally:
            database.close()


class _Replacement(Replacement):
    def __init__(self, path: Path, draft: Path, database: Database) -> None:
        self._path = path
        self._draft = draft
        self.database = database

    def contents(self) -> BackupContents:
        """Count what is in the copy."""
        return read_contents(self._draft)

    def drop_open_tokens(self) -> OpenTokens:
        """Delete pending injections and live gateway tokens. Returns how many there were."""
        with _refusing(), closing(open_writer(self._draft)) as connection:
            injections = connection.execute(_DROP_INJECTIONS).rowcount
            return OpenTokens(injections, connection.execute(_DROP_TOKENS).rowcount)

    def put_in_place(self) -> Path | None:
        """Set the former database aside, with its log, and put the copy in its place."""
        with _refusing(), closing(open_writer(self._draft)) as connection:
            connection.execute(_NO_WORKERS)
        self.database.close()
        if os.path.lexists(files.log_of(self._draft)):
            raise StorageUnavailable("The copy of the backup is still in use.")
        sync_file(self._draft)
        aside = name_beside(self._path, "replaced")
        place = WriterPlace(self._path)
        try:
            with place.hold(), named_errors(self._path):
                return _swap(self._path, self._draft, aside)
        finally:
            place.close()


def _swap(path: Path, draft: Path, aside: Path) -> Path | None:
    """Exchange the files. Whenever it is interrupted, no database has a log that is not its own."""
    is_there = os.path.lexists(path)
    with _sole_use(path) if is_there else nullcontext():
        names = [suffix for suffix in ("", *_KEPT_BESIDE) if os.path.lexists(_beside(path, suffix))]
        for suffix in names:
            os.link(_beside(path, suffix), _beside(aside, suffix), follow_symlinks=False)
        sync_directory(path.parent)
        # The database before its log: without the one, nobody opens the other.
        for suffix in ("", *_KEPT_BESIDE, "-shm"):
            _beside(path, suffix).unlink(missing_ok=True)
        sync_directory(path.parent)
        draft.rename(path)
        sync_directory(path.parent)
    return aside if names else None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


@contextmanager
def _sole_use(path: Path) -> Iterator[None]:
    """Keep every other process from opening the database.

    This process has no connection to it: closing the file here would free that one's locks.

    Raises:
        FileRefused: A process has it open.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            how = fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(descriptor, how, _SHARED_BYTES, _SHARED_AT)
        except (BlockingIOError, PermissionError):
            raise FileRefused(
                "The database is in use: stop the server on this host, then run it again."
            ) from None
        yield
    finally:
        os.close(descriptor)


def _prepare(path: Path, *, replace: bool) -> None:
    try:
        with named_errors(path):
            files.create_directory(path)
            if os.path.lexists(path):
                _refuse_unless_replaceable(path, replace=replace)
    except files.UnsafeFiles as fault:
        raise DatabaseMisconfigured(str(fault)) from None


def _refuse_unless_replaceable(path: Path, *, replace: bool) -> None:
    if not replace:
        raise FileRefused(
            "There is a database already; with --replace it is set aside, not deleted."
        )
    if not stat.S_ISREG(path.lstat().st_mode):
        raise FileRefused("In the place of the database is something else than a file.")
    with _sole_use(path):
        pass


def _upgrade(database: Database) -> None:
    try:
        database.upgrade()
    except DatabaseMisconfigured as fault:
        raise BackupDamaged(str(fault)) from None


@contextmanager
def _claimed(draft: Path) -> Iterator[None]:
    """Keep other restores away from the draft, which is gone afterwards."""
    descriptor = os.open(draft.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_all(draft)
        try:
            yield
        finally:
            remove_all(draft)
    except BlockingIOError:
        raise FileRefused("Another command works on this directory at the moment.") from None
    finally:
        os.close(descriptor)


def _copy(file: Path, draft: Path) -> None:
    """Copy the backup, and its log if it has one, as a database that was set aside may."""
    _copy_file(file, draft)
    log = files.log_of(file)
    if os.path.lexists(log):
        _copy_file(log, files.log_of(draft))


def _copy_file(source: Path, target: Path) -> None:
    if not stat.S_ISREG(source.stat().st_mode):
        raise FileRefused(f"{source.name}: it is not a file.")
    with source.open("rb") as read, os.fdopen(files.open_private(target), "wb") as write:
        shutil.copyfileobj(read, write, 1024 * 1024)
        write.flush()
        os.fsync(write.fileno())


def _verify(draft: Path) -> None:
    """Give the copy a number of its own, and look at all of its pages."""
    with _refusing():
        if draft.stat().st_size == 0 or not is_own_log(draft):
            raise BackupDamaged("The log beside the backup is not its own, or the backup is empty.")
        make_durable(draft, renumber=True)
        with closing(open_writer(draft)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
    if any(is_damage(line) for (line,) in found):
        raise BackupDamaged("The backup is damaged (SQLITE_CORRUPT).")


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except SettingNotInForce as setting:
        raise StorageUnavailable(str(setting)) from None
    except sqlite3.Error as error:
        cause = cause_of(error)
    else:
        return
    if cause in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
        raise BackupDamaged(f"The backup is damaged, or is no backup ({cause}).")
    raise StorageUnavailable(cause)
