"""Constraints decide who wins, among threads and among processes."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from app.domain.secrets import SecretFilter
from app.repository.base import Conflict, Database, UnitOfWork
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase

RACERS = 32
Race = Callable[[UnitOfWork, int], None]


def race(databases: list[Database], run: Race) -> list[int]:
    """Who of many that start at once did not get a conflict."""
    start = threading.Barrier(RACERS)

    def one(number: int) -> bool:
        start.wait(timeout=30)
        try:
            with databases[number % len(databases)].writing() as work:
                run(work, number)
                work.commit()
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        won = list(pool.map(one, range(RACERS)))
    return [number for number in range(RACERS) if won[number]]


def test_one_of_many_creates_of_one_name_wins(database: Database, elsewhere: Database) -> None:
    def create(work: UnitOfWork, number: int) -> None:
        work.secrets.add(rows.secret(number, name="ONE_NAME"))

    (winner,) = race([database, elsewhere], create)
    with database.reading() as repository:
        assert repository.secrets.page(rows.OURS, SecretFilter(), 9, None) == [
            rows.secret(winner, name="ONE_NAME").view()
        ]


def test_one_of_many_first_data_keys_wins(database: Database, elsewhere: Database) -> None:
    def create(work: UnitOfWork, number: int) -> None:
        record = rows.data_key("acct_new", f"dk_{number}")
        work.data_keys.add(record, [rows.wrapping("acct_new", f"dk_{number}")])

    (winner,) = race([database, elsewhere], create)
    with database.reading() as repository:
        active = repository.data_keys.get_active("acct_new")
    assert active is not None
    assert active.record.unverified.id == f"dk_{winner}"


def test_one_of_many_deployment_ids_wins(case: DatabaseCase) -> None:
    database = case.connect()
    database.upgrade()
    (winner,) = race([database], lambda work, number: work.deployment.add(f"dep_{number}"))
    with database.reading() as repository:
        assert repository.deployment.get_id() == f"dep_{winner}"


def test_of_many_units_of_work_each_sees_what_the_one_before_left(
    database: Database, elsewhere: Database
) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        work.commit()

    def increase(work: UnitOfWork, number: int) -> None:
        version = work.secrets.lock_version(rows.OURS, rows.secret().id)
        work.secrets.replace_value(rows.secret(version=version + 1))

    race([database, elsewhere], increase)
    with database.writing() as work:
        assert work.secrets.lock_version(rows.OURS, rows.secret().id) == 1 + RACERS


def test_a_claim_waits_for_an_open_claim_and_finds_its_answer(
    database: Database, elsewhere: Database
) -> None:
    finished = replace(rows.answer(), answer=b"the answer")

    def claim() -> tuple[bool, bytes | None]:
        with elsewhere.writing() as work:
            is_mine = work.answers.claim(rows.answer(), now_ms=1)
            stored = work.answers.get(rows.OURS, rows.API_KEY, "request")
            return is_mine, None if stored is None else stored.answer

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            assert work.answers.claim(rows.answer(), now_ms=1)
            retry: Future[tuple[bool, bytes | None]] = pool.submit(claim)
            work.answers.finish(finished)
            work.commit()
        assert retry.result(timeout=30) == (False, b"the answer")


def test_a_claim_that_was_undone_lets_the_next_one_have_it(
    database: Database, elsewhere: Database
) -> None:
    def claim() -> bool:
        with elsewhere.writing() as work:
            return work.answers.claim(rows.answer(), now_ms=1)

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            assert work.answers.claim(rows.answer(), now_ms=1)
            retry = pool.submit(claim)
        assert retry.result(timeout=30)
