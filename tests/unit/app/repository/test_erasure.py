"""Deleted ciphertext is gone from the database and its log soon after, in an idle process too."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from app.domain.secrets import SecretRef
from app.repository.base import UnitOfWork
from app.repository.sqlite import database as sqlite_database
from app.repository.sqlite import eraser, settings, writer_place
from app.repository.sqlite.database import SqliteDatabase
from app.repository.sqlite.eraser import Eraser
from tests.contract.repository import rows
from tests.unit.app.repository.conftest import fill

CANARY = b"canary" * 2000
PROMISED_S = 60

ERASURES: dict[str, Callable[[UnitOfWork], object]] = {
    "deleted": lambda work: work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001")),
    "replaced": lambda work: work.secrets.replace_value(rows.secret(envelope=b"new", version=2)),
    "resealed": lambda work: work.secrets.reseal(
        rows.secret(envelope=b"new"), sealed_under=rows.DATA_KEY
    ),
}


OF_VERSIONS: dict[str, Callable[[UnitOfWork], object]] = {
    "one deleted": lambda work: work.secret_versions.delete(rows.OURS, "sec_0001", 1),
    "all deleted": lambda work: work.secret_versions.delete_below(rows.OURS, "sec_0001", 9),
    "too old": lambda work: work.secret_versions.delete_older(rows.OURS, 99, 9),
    "of a deleted secret": lambda work: work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001")),
    "resealed": lambda work: work.secret_versions.reseal(
        rows.old_version(archived=b"new"), before=rows.old_version(archived=CANARY)
    ),
}


@pytest.fixture
def quick(path: Path) -> Iterator[SqliteDatabase]:
    """A database that holds a canary and erases within moments."""
    database = SqliteDatabase(path, erase_after_s=0.01)
    fill(database)
    add_canary(database)
    yield database
    database.close()


def add_canary(database: SqliteDatabase) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret(envelope=CANARY))
        work.commit()


def erase(database: SqliteDatabase, how: Callable[[UnitOfWork], object]) -> None:
    with database.writing() as work:
        how(work)
        work.commit()


def is_on_disk(path: Path) -> bool:
    return any(CANARY[:60] in each.read_bytes() for each in path.parent.iterdir())


def is_gone_within(path: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_on_disk(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_ciphertext_is_on_disk_while_it_is_kept(quick: SqliteDatabase, path: Path) -> None:
    with quick.reading():
        assert is_on_disk(path)


@pytest.mark.parametrize("how", ERASURES.values(), ids=ERASURES)
def test_ciphertext_leaves_the_disk_while_the_process_is_idle(
    quick: SqliteDatabase, path: Path, how: Callable[[UnitOfWork], object]
) -> None:
    erase(quick, how)
    assert is_gone_within(path, 30)


@pytest.mark.parametrize("how", OF_VERSIONS.values(), ids=OF_VERSIONS)
def test_an_old_value_leaves_the_disk_while_the_process_is_idle(
    path: Path, how: Callable[[UnitOfWork], object]
) -> None:
    with closing(SqliteDatabase(path, erase_after_s=0.01)) as database:
        fill(database)
        with database.writing() as work:
            work.secrets.add(rows.secret(version=2))
            work.secret_versions.add(rows.old_version(archived=CANARY))
            work.commit()
        erase(database, how)
        assert is_gone_within(path, 30)


def test_readers_that_stay_open_keep_nothing_on_disk(quick: SqliteDatabase, path: Path) -> None:
    with quick.reading() as repository:
        repository.secrets.sealed(rows.OURS, ["sec_0001"], rows.ANY_SIZE)
        erase(quick, ERASURES["deleted"])
        assert is_gone_within(path, 30)


def test_closing_erases_at_once(database: SqliteDatabase, path: Path) -> None:
    other = SqliteDatabase(path)
    add_canary(database)
    with other.reading():
        erase(database, ERASURES["deleted"])
        assert is_on_disk(path)
        database.close()
        assert not is_on_disk(path)
    other.close()


def test_what_a_killed_process_left_is_erased_by_the_next(
    database: SqliteDatabase, path: Path
) -> None:
    add_canary(database)
    erase(database, ERASURES["deleted"])
    assert is_on_disk(path)
    successor = SqliteDatabase(path, erase_after_s=0.01)
    successor.ping()
    assert is_gone_within(path, 30)
    successor.close()


def test_an_erasure_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eraser, "RETRY_S", 0.01)
    outcomes, done = [False, False, True], Event()

    def truncate() -> bool:
        is_done = outcomes.pop(0)
        if is_done:
            done.set()
        return is_done

    Eraser(truncate, 0.01).schedule()
    assert done.wait(30)
    assert outcomes == []


def test_the_longest_wait_keeps_the_promise() -> None:
    one_try = writer_place.WAIT_S + settings.BUSY_TIMEOUT_MS / 1000
    assert sqlite_database.ERASE_AFTER_S + one_try + eraser.RETRY_S + one_try < PROMISED_S
