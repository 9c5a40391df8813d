"""Writers that wait for each other share a commit, and none is told more than it made durable."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.domain.errors import StorageUnavailable
from app.domain.secrets import SecretRef
from app.repository.base import UnitOfWork
from app.repository.sqlite import commit_group
from app.repository.sqlite.database import SqliteDatabase
from tests.contract.repository import rows

Block = Callable[[UnitOfWork], None]


class Undone(Exception):
    pass


class Queue:
    """Units of work that wait for each other."""

    def __init__(self, database: SqliteDatabase, pool: ThreadPoolExecutor) -> None:
        self._database = database
        self._pool = pool

    def start(self, *blocks: Block) -> list[Future[None]]:
        """Let all of them wait for one that does nothing, which then ends."""
        with self._database.writing():
            return [self._add(block, place) for place, block in enumerate(blocks, start=1)]

    def run(self, *blocks: Block) -> list[type[BaseException] | None]:
        """The errors that they raised."""
        return [raised_by(future) for future in self.start(*blocks)]

    def _add(self, block: Block, place: int) -> Future[None]:
        future = self._pool.submit(self._run, block)
        deadline = time.monotonic() + 30
        while len(self._database._writer._turns._turns) < place:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return future

    def _run(self, block: Block) -> None:
        with self._database.writing() as work:
            block(work)


def raised_by(future: Future[None]) -> type[BaseException] | None:
    error = future.exception(30)
    return None if error is None else type(error)


def adding(number: int) -> Block:
    def add(work: UnitOfWork) -> None:
        work.secrets.add(rows.secret(number))
        work.commit()

    return add


def adding_in_vain(number: int) -> Block:
    def add(work: UnitOfWork) -> None:
        work.secrets.add(rows.secret(number))
        raise Undone

    return add


def numbers_in(database: SqliteDatabase) -> set[int]:
    with database.reading() as repository:
        views = [
            repository.secrets.view(rows.OURS, SecretRef.by_name(f"NAME_{number}"))
            for number in range(9)
        ]
    return {number for number, view in enumerate(views) if view is not None}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def queue(
    database: SqliteDatabase, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> Queue:
    monkeypatch.setattr(commit_group, "LONGEST_S", 60.0)
    return Queue(database, pool)


def driver_of(database: SqliteDatabase) -> sqlite3.Connection:
    connection = database._writer._connection
    assert connection is not None
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def commits_of(database: SqliteDatabase) -> Iterator[list[str]]:
    commits: list[str] = []

    def note(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)

    driver_of(database).set_trace_callback(note)
    yield commits
    driver_of(database).set_trace_callback(None)


def forbid_commits(database: SqliteDatabase) -> None:
    def decide(action: int, operation: str | None, *_: object) -> int:
        is_commit = action == sqlite3.SQLITE_TRANSACTION and operation == "COMMIT"
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    driver_of(database).set_authorizer(decide)


def test_those_that_wait_share_one_commit(database: SqliteDatabase, queue: Queue) -> None:
    with commits_of(database) as commits:
        queue.run(*map(adding, range(6)))
    assert len(commits) == 1
    assert numbers_in(database) == {0, 1, 2, 3, 4, 5}


def test_a_group_that_has_lasted_long_enough_takes_in_no_more(
    database: SqliteDatabase, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_group, "LONGEST_S", 0.0)
    with commits_of(database) as commits:
        queue.run(*map(adding, range(3)))
    assert len(commits) == 3


def test_none_returns_before_what_it_wrote_is_durable(
    database: SqliteDatabase, queue: Queue
) -> None:
    is_begun, may_end = threading.Event(), threading.Event()

    def take_long(work: UnitOfWork) -> None:
        is_begun.set()
        assert may_end.wait(30)
        adding(1)(work)

    early, late = queue.start(adding(0), take_long)
    assert is_begun.wait(30)
    assert (early.done(), numbers_in(database)) == (False, set())
    may_end.set()
    assert (raised_by(early), raised_by(late)) == (None, None)
    assert numbers_in(database) == {0, 1}


def test_one_that_is_undone_undoes_no_other(database: SqliteDatabase, queue: Queue) -> None:
    assert queue.run(adding(0), adding_in_vain(1), adding(2)) == [None, Undone, None]
    assert numbers_in(database) == {0, 2}


def test_the_last_of_a_group_commits_for_the_others_even_if_it_is_undone(
    database: SqliteDatabase, queue: Queue
) -> None:
    assert queue.run(adding(0), adding_in_vain(1)) == [None, Undone]
    assert numbers_in(database) == {0}


def test_a_failing_statement_fails_only_its_own_unit_of_work(
    database: SqliteDatabase, queue: Queue
) -> None:
    def fail(work: UnitOfWork) -> None:
        work.secrets.add(rows.secret(1, data_key_id="dk_missing"))

    assert queue.run(adding(0), fail, adding(2)) == [None, StorageUnavailable, None]
    assert numbers_in(database) == {0, 2}


def test_if_the_commit_fails_each_is_told(database: SqliteDatabase, queue: Queue) -> None:
    forbid_commits(database)
    assert queue.run(adding(0), adding(1)) == [StorageUnavailable, StorageUnavailable]
    assert numbers_in(database) == set()


def test_who_read_what_never_became_durable_is_told_too(
    database: SqliteDatabase, queue: Queue
) -> None:
    seen = []

    def read(work: UnitOfWork) -> None:
        seen.append(work.secrets.view(rows.OURS, SecretRef.by_name("NAME_0")))

    forbid_commits(database)
    assert queue.run(adding(0), read) == [StorageUnavailable, StorageUnavailable]
    assert seen == [rows.secret(0).view()]


def test_a_failed_commit_does_not_spoil_the_next(database: SqliteDatabase, queue: Queue) -> None:
    forbid_commits(database)
    queue.run(adding(0))
    assert queue.run(adding(1)) == [None]
    assert numbers_in(database) == {1}
