"""A fork leaves parent and child with connections of their own."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.secrets import SecretFilter
from app.repository.sqlite.database import SqliteDatabase
from tests.contract.repository import rows
from tests.unit.app.repository.forking import REFUSED

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]


def fork(path: Path, busy: str) -> int:
    """The child's end."""
    command = [sys.executable, "-m", "tests.unit.app.repository.forking", str(path), busy]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode


def count(database: SqliteDatabase) -> int:
    with database.reading() as repository:
        return repository.secrets.count(rows.OURS, SecretFilter())


def test_parent_and_child_both_go_on(database: SqliteDatabase, path: Path) -> None:
    database.close()
    assert fork(path, busy="nothing") == 0
    assert count(database) == 40


@pytest.mark.parametrize("busy", ["reader", "writer"])
def test_a_child_that_inherits_locks_is_refused_and_its_parent_goes_on(
    database: SqliteDatabase, path: Path, busy: str
) -> None:
    database.close()
    assert fork(path, busy) == REFUSED
    assert count(database) == 30


@pytest.mark.parametrize("busy", ["nothing", "reader", "writer"])
def test_a_fork_leaves_the_database_whole(database: SqliteDatabase, path: Path, busy: str) -> None:
    database.close()
    fork(path, busy)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
