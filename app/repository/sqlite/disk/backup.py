"""Backups of an SQLite database.

``VACUUM INTO`` reads one moment of the database while others write. Unlike SQLite's backup API it
never begins again because of them, reads every row, so that it fails on damaged pages instead of
copying them, and leaves out the free ones.
"""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from app.domain.operations.backups import BackupContents, NeededRootKey
from app.repository.sqlite.connections import available
from app.repository.sqlite.disk.log_number import NO_NUMBER, NUMBER, NUMBER_BEFORE
from app.repository.sqlite.disk.new_file import new_file
from app.repository.sqlite.settings import open_writer

_ROOT_KEYS = "SELECT key_ref, count(*) FROM wrappings GROUP BY key_ref ORDER BY key_ref"


def write_backup(path: Path, file: Path) -> None:
    """Write what is committed now to a new file; the caller has opened the database.

    Raises:
        FileRefused: The file exists, or cannot be made.
        StorageUnavailable: The database cannot be read, or the file not be written.
    """
    with new_file(file) as draft:
        available(lambda: _copy(path, draft))


def read_contents(path: Path) -> BackupContents:
    """Count what is in a database.

    Raises:
        StorageUnavailable: It cannot be read.
    """
    return available(lambda: _read_contents(path))


def _read_contents(path: Path) -> BackupContents:
    with closing(_connect(path)) as connection:
        ((secrets,),) = connection.execute("SELECT count(*) FROM secrets")
        ((data_keys,),) = connection.execute("SELECT count(*) FROM data_keys")
        found = connection.execute(_ROOT_KEYS).fetchall()
    root_keys = tuple(NeededRootKey(key_ref, count) for key_ref, count in found)
    return BackupContents(secrets, data_keys, root_keys)


def _copy(path: Path, draft: Path) -> None:
    with closing(open_writer(path)) as source:
        _vacuum(source, draft)
    with closing(_connect(draft)) as copy:
        # No log continues the number 0, so none that lies where the copy is put is applied to it.
        for number in (NUMBER, NUMBER_BEFORE):
            copy.execute(f"PRAGMA {number} = {NO_NUMBER}").close()


def _vacuum(source: sqlite3.Connection, draft: Path) -> None:
    """Copy in a thread of its own: in this one, a signal would wait for the statement's end."""
    with ThreadPoolExecutor(1, "backup") as pool:
        try:
            pool.submit(lambda: source.execute("VACUUM INTO ?", (str(draft),)).close()).result()
        except BaseException:
            source.interrupt()
            raise


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
