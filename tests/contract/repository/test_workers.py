"""Workers and fences: who was heard from, by the database's own clock."""

import itertools

import pytest

from app.domain.operations.workers import Worker
from app.repository.base import Database
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase


def beat(database: Database, *workers: Worker) -> None:
    with database.writing() as work:
        for worker in workers:
            work.workers.beat(worker)
        work.commit()


def test_a_heartbeat_is_read_as_it_was_told(database: Database) -> None:
    beat(database, rows.worker())
    with database.reading() as repository:
        (seen,) = repository.workers.all()
    assert seen.worker == rows.worker()
    assert seen.is_live


def test_the_next_heartbeat_takes_the_place_of_the_last(database: Database) -> None:
    later = rows.worker(opened_by=(), fence_generation=3)
    beat(database, rows.worker())
    beat(database, later)
    with database.reading() as repository:
        assert [each.worker for each in repository.workers.all()] == [later]


@pytest.mark.parametrize(
    ("seconds", "is_live"), [(59, True), (-50, True), (61, False), (-70, False)]
)
def test_a_worker_is_live_for_a_minute(
    database: Database, case: DatabaseCase, seconds: int, is_live: bool
) -> None:
    beat(database, rows.worker())
    case.execute("UPDATE workers SET seen_at_ms = seen_at_ms - ?", seconds * 1000)
    with database.reading() as repository:
        (seen,) = repository.workers.all()
    assert seen.is_live is is_live


def test_a_worker_that_ends_is_gone(database: Database) -> None:
    beat(database, rows.worker(), rows.worker("wkr_2"))
    with database.writing() as work:
        work.workers.remove("wkr_1")
        work.commit()
    with database.reading() as repository:
        assert [each.worker.id for each in repository.workers.all()] == ["wkr_2"]


def test_rows_that_are_silent_for_long_are_removed(database: Database, case: DatabaseCase) -> None:
    beat(database, rows.worker(), rows.worker("wkr_2"))
    case.execute("UPDATE workers SET seen_at_ms = seen_at_ms - 5000 WHERE id = ?", "wkr_1")
    with database.writing() as work:
        work.workers.remove_silent(4000)
        work.commit()
    with database.reading() as repository:
        assert [each.worker.id for each in repository.workers.all()] == ["wkr_2"]


def generation(database: Database) -> int:
    with database.reading() as repository:
        return repository.deployment.fence_generation()


@pytest.mark.operator
def test_each_change_of_the_fences_raises_their_generation(database: Database) -> None:
    seen = [generation(database)]
    for change in ("fence", "fence", "lift_fence", "lift_fence"):
        with database.writing() as work:
            getattr(work.wrappings, change)("ref:1")
            work.commit()
        seen.append(generation(database))
    assert [after - before for before, after in itertools.pairwise(seen)] == [1, 0, 1, 0]
