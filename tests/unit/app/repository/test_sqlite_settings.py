"""The settings that durability, erasure and foreign keys stand on, on every connection."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.sqlite import settings
from app.repository.sqlite.database import SqliteDatabase
from app.repository.sqlite.settings import SettingNotInForce, open_reader, open_writer

# As https://www.sqlite.org/pragma.html gives them back.
IN_FORCE = {
    "journal_mode": "wal",
    "synchronous": 2,
    "secure_delete": 1,
    "foreign_keys": 1,
    "busy_timeout": 5000,
    "trusted_schema": 0,
    "temp_store": 2,
}


@pytest.fixture
def made(database: SqliteDatabase, path: Path) -> Path:
    database.close()
    return path


def setting(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize("opener", [open_reader, open_writer])
@pytest.mark.parametrize("name", IN_FORCE)
def test_a_connection_has_the_setting(
    made: Path, opener: Callable[[Path], sqlite3.Connection], name: str
) -> None:
    with closing(opener(made)) as connection:
        assert setting(connection, name) == IN_FORCE[name]


def test_only_a_readers_connection_is_read_only(made: Path) -> None:
    with closing(open_reader(made)) as reader, closing(open_writer(made)) as writer:
        assert (setting(reader, "query_only"), setting(writer, "query_only")) == (1, 0)


def test_a_readers_connection_writes_nothing(made: Path) -> None:
    with (
        closing(open_reader(made)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM accounts")


def test_a_setting_that_does_not_take_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = settings.Setting("secure_delete", "ON", 7)
    monkeypatch.setattr(settings, "SETTINGS", (ignored,))
    with pytest.raises(SettingNotInForce, match="secure_delete"):
        open_writer(made)


@pytest.fixture
def without_log(made: Path) -> Path:
    """A database that someone switched back from its write-ahead log."""
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return made


def test_a_database_without_its_log_is_a_fault_that_names_the_setting(without_log: Path) -> None:
    assert SqliteDatabase(without_log).check().faults == [
        "STRONGROOM_DATABASE_URL: SQLite does not have journal_mode in force."
    ]


def test_a_database_without_its_log_is_not_served(without_log: Path) -> None:
    with pytest.raises(StorageUnavailable), SqliteDatabase(without_log).reading():
        pass


def test_a_file_that_is_no_database_is_a_fault(made: Path) -> None:
    made.write_bytes(b"not a database, and longer than the header of one " * 40)
    (fault,) = SqliteDatabase(made).check().faults
    assert fault.startswith("STRONGROOM_DATABASE_URL: the database is no database (SQLITE_NOTADB)")


def test_an_sqlite_that_is_too_old_is_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    assert SqliteDatabase(made).check().faults == [
        "STRONGROOM_DATABASE_URL: SQLite does not have STRICT tables in force."
    ]
