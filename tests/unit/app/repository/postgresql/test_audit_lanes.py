"""Lanes on PostgreSQL: no gap, whoever is undone or killed, and nobody waits for another."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from app.domain.errors import StorageUnavailable
from app.domain.guarded import Guarded
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.sql.audit.events import MAX_LANES
from tests.contract.repository import rows
from tests.contract.repository.test_audit_events import (
    add,
    open_after_its_record,
    record,
    require_gapless,
)
from tests.support.postgresql import PostgresqlServer
from tests.unit.app.repository.postgresql.conftest import open_database

THREADS = 32
ROUNDS = 15
MOST_PASSES = 50
KILL_ONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
)


@pytest.fixture
def wide(
    postgresql: PostgresqlServer, name: str, database: PostgresqlDatabase
) -> Iterator[PostgresqlDatabase]:
    """The database with a connection for each thread, so that they really meet."""
    assert database.exists()
    wide = open_database(postgresql.url(name), MAX_LANES + 2)
    yield wide
    wide.close()


def stored_marks(database: PostgresqlDatabase) -> set[str | None]:
    """The marks of all records of the account."""
    with database.reading() as repository:
        return {
            each.unverified.request_id
            for count in repository.audit_events.counts(rows.OURS)
            for each in repository.audit_events.between(rows.OURS, count.lane, 0, count.n, count.n)
            if isinstance(each, Guarded)
        }


class Marks:
    """The marks of records: those whose commit was acknowledged, and those whose fate is unknown.

    A record that was undone has neither.
    """

    def __init__(self) -> None:
        self.acknowledged: set[str | None] = set()
        self.uncertain: set[str | None] = set()

    def record_or_undo(self, database: PostgresqlDatabase, number: int) -> None:
        chance = random.Random(number)
        for turn in range(ROUNDS):
            mark = f"{number}-{turn}"
            try:
                with database.writing() as work:
                    add(work, request_id=mark)
                    if chance.random() < 0.2:
                        continue  # leaves the block, and undoes it
                    work.commit()
                self.acknowledged.add(mark)
            except StorageUnavailable:
                self.uncertain.add(mark)


@contextmanager
def backends_killed(postgresql: PostgresqlServer, name: str) -> Iterator[None]:
    """End one session of the database after the other, until the block ends."""
    are_done = threading.Event()

    def kill() -> None:
        while not are_done.wait(0.02):
            postgresql.execute(KILL_ONE, database=name)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        are_done.set()
        thread.join()


def test_no_gap_and_no_loss_while_backends_are_killed(
    postgresql: PostgresqlServer, name: str, wide: PostgresqlDatabase
) -> None:
    marks = Marks()
    with backends_killed(postgresql, name), ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, MOST_PASSES * THREADS, THREADS):
            numbers = range(first, first + THREADS)
            list(pool.map(lambda number: marks.record_or_undo(wide, number), numbers))
            if marks.uncertain and len(marks.acknowledged) > THREADS:
                break  # a session was killed while it worked, which is up to chance
    found = stored_marks(wide)
    assert marks.acknowledged <= found <= marks.acknowledged | marks.uncertain
    assert marks.uncertain
    assert len(marks.acknowledged) > THREADS
    require_gapless(wide, len(found))


def test_31_others_finish_while_one_transaction_stays_open_after_its_record(
    wide: PostgresqlDatabase,
) -> None:
    with open_after_its_record(wide), ThreadPoolExecutor(THREADS - 1) as pool:
        list(pool.map(lambda _: record(wide), range(THREADS - 1)))
    require_gapless(wide, THREADS)


def test_with_64_lanes_in_use_a_transaction_waits_for_one(wide: PostgresqlDatabase) -> None:
    with ExitStack() as stack:
        works = [stack.enter_context(wide.writing()) for _ in range(MAX_LANES)]
        lanes = {add(work)[0] for work in works}
        assert len(lanes) == MAX_LANES
        place: list[tuple[int, int]] = []
        waiting = threading.Thread(target=lambda: place.append(record(wide)))
        waiting.start()
        for work in works:
            work.commit()
        waiting.join(30)
    assert [(lane in lanes, n) for lane, n in place] == [(True, 2)]
    require_gapless(wide, MAX_LANES + 1)
