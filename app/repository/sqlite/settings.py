"""The settings of every connection, put in force and read back."""

import sqlite3
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import NamedTuple

from app.repository.sqlite.disk.log_number import NO_NUMBER, NUMBER, new_number

BUSY_TIMEOUT_MS = 5000
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables: https://www.sqlite.org/stricttables.html."""


class SettingNotInForce(Exception):
    """A connection does not have a setting that we rely on.

    Args:
        name: The setting's name in SQLite.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"SQLite does not have {name} in force.")


class Setting(NamedTuple):
    """One setting: what it is set to, and how SQLite gives that back."""

    name: str
    value: str | int
    reads_as: str | int


# https://www.sqlite.org/pragma.html
SETTINGS = (
    Setting("busy_timeout", BUSY_TIMEOUT_MS, BUSY_TIMEOUT_MS),
    Setting("synchronous", "FULL", 2),
    Setting("secure_delete", "ON", 1),
    Setting("foreign_keys", "ON", 1),
    Setting("trusted_schema", "OFF", 0),
    Setting("temp_store", "MEMORY", 2),
    Setting("wal_autocheckpoint", 0, 0),  # the log moves when its numbers allow it
)
_READ_ONLY = Setting("query_only", "ON", 1)

# A damaged text is still a text, or one row would spoil a list.
_text: Callable[[bytes], str] = methodcaller("decode", "utf-8", "replace")


def make_durable(path: Path, *, renumber: bool = False) -> None:
    """Give a database the write-ahead log, and a number if it has none; it keeps both.

    The caller has made sure that there is no log of another database.

    Args:
        renumber: Replace also a number that it has, so that no log but its own applies.

    Raises:
        sqlite3.Error: It cannot be opened, or is in use.
        SettingNotInForce: The file system does not support it.
    """
    connection = _connect(path)
    try:
        ((number,),) = connection.execute(f"PRAGMA {NUMBER}")
        if renumber or number == NO_NUMBER:
            # Into the file itself, with no log in between: no log ever continues the number 0.
            _put(connection, Setting("journal_mode", "DELETE", "delete"))
            connection.execute(f"PRAGMA {NUMBER} = {new_number(final=True)}").close()
        _put(connection, Setting("journal_mode", "WAL", "wal"))
    finally:
        connection.close()


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    return _open(path, (*SETTINGS, _READ_ONLY))


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that can write."""
    return _open(path, SETTINGS)


def _open(path: Path, settings: tuple[Setting, ...]) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        _expect(connection, "journal_mode", "wal")
        for setting in settings:
            _put(connection, setting)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise SettingNotInForce("STRICT tables")
    # mode=rw: a database that is gone is not made again. No isolation level: the driver begins no
    # transaction of its own. Other threads: a connection passes from one to the next.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    return connection


def _put(connection: sqlite3.Connection, setting: Setting) -> None:
    connection.execute(f"PRAGMA {setting.name} = {setting.value}").close()
    _expect(connection, setting.name, setting.reads_as)


def _expect(connection: sqlite3.Connection, name: str, value: str | int) -> None:
    row = connection.execute(f"PRAGMA {name}").fetchone()
    if row != (value,):
        raise SettingNotInForce(name)
