"""An SQLite database that holds what the tests of all databases start with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.repository.sqlite.database import SqliteDatabase
from tests.contract.repository import rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The database's path; the directory does not exist yet."""
    return tmp_path / "home" / "strongroom.db"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteDatabase]:
    """A database with one account, an API key and an active data key."""
    database = SqliteDatabase(path)
    fill(database)
    yield database
    database.close()


def fill(database: SqliteDatabase) -> None:
    """Make the schema and one account."""
    database.upgrade()
    with database.writing() as work:
        work.deployment.add("dep_1")
        work.accounts.add(rows.account())
        work.api_keys.add(rows.api_key())
        work.data_keys.add(rows.data_key(), [rows.wrapping()])
        work.commit()
