"""A check of the database looks at every page, and writes to the disk."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from app.repository.sqlite.database import SqliteDatabase
from app.repository.sqlite.disk.log_number import number_of
from tests.contract.repository import rows


def faults(path: Path) -> list[str]:
    with closing(SqliteDatabase(path)) as database:
        return database.check().faults


def test_a_database_without_a_fault_is_written_to(database: SqliteDatabase, path: Path) -> None:
    database.close()
    before = number_of(path)
    assert faults(path) == []
    assert number_of(path) != before


def test_damaged_pages_are_named(database: SqliteDatabase, path: Path) -> None:
    with database.writing() as work:
        for number in range(1, 100):
            work.secrets.add(rows.secret(number, envelope=b"e" * 2000))
        work.commit()
    database.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 10 * 4096)
        file.write(os.urandom(4 * 4096))
    (fault,) = faults(path)
    assert fault.startswith("STRONGROOM_DATABASE_URL: the database is damaged (SQLITE_CORRUPT)")
    assert "strongroom restore" in fault


def test_a_row_that_breaks_a_constraint_does_not_keep_the_server_from_starting(
    database: SqliteDatabase, path: Path
) -> None:
    database.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE accounts SET devbox = 7")
    assert faults(path) == []
