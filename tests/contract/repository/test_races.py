"""Constraints decide who wins, among threads and among processes."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest

from app.domain.data_keys import DataKeyState
from app.domain.idempotency import StoredResponse
from app.domain.secrets import SecretFilter
from app.repository.base import Conflict, Database, Fenced, UnitOfWork
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase

pytestmark = pytest.mark.usefixtures("no_deadlock")

RACERS = 32
MOMENT = 0.2  # seconds in which what does not wait would be done
Race = Callable[[UnitOfWork, int], None]


def race(databases: list[Database], run: Race) -> list[int]:
    """The ones of many simultaneous attempts that did not get a conflict."""
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


@pytest.mark.operator
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
        version = rows.lock(work, rows.secret().id).version
        work.secrets.replace_value(rows.secret(version=version + 1))

    race([database, elsewhere], increase)
    with database.writing() as work:
        assert rows.lock(work, rows.secret().id).version == 1 + RACERS


def test_a_claim_waits_for_an_open_claim_and_finds_its_answer(
    database: Database, elsewhere: Database
) -> None:
    finished = replace(rows.stored_response(), response=b"the answer")

    def claim() -> tuple[bool, bytes | None]:
        with elsewhere.writing() as work:
            is_mine = work.stored_responses.claim(rows.stored_response(), now_ms=1)
            stored = work.stored_responses.get(rows.OURS, rows.API_KEY, "request")
            return is_mine, None if stored is None else stored.response

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            assert work.stored_responses.claim(rows.stored_response(), now_ms=1)
            retry: Future[tuple[bool, bytes | None]] = pool.submit(claim)
            work.stored_responses.finish(finished)
            work.commit()
        assert retry.result(timeout=30) == (False, b"the answer")


def test_a_claim_that_was_undone_lets_the_next_one_have_it(
    database: Database, elsewhere: Database
) -> None:
    def claim() -> bool:
        with elsewhere.writing() as work:
            return work.stored_responses.claim(rows.stored_response(), now_ms=1)

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            assert work.stored_responses.claim(rows.stored_response(), now_ms=1)
            retry = pool.submit(claim)
        assert retry.result(timeout=30)


@pytest.mark.operator
def test_a_fence_waits_for_a_wrapping_that_is_being_added(
    database: Database, elsewhere: Database
) -> None:
    def retire() -> int:
        with elsewhere.writing() as work:
            work.wrappings.fence("ref:2")
            return work.wrappings.count_stranded("ref:2", [])

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            work.wrappings.add(rows.wrapping(key_ref="ref:2"))
            stranded = pool.submit(retire)
            assert is_waiting(stranded)
            work.commit()
        assert stranded.result(timeout=30) == 1


@pytest.mark.operator
def test_a_wrapping_waits_for_a_fence_that_is_being_put_up(
    database: Database, elsewhere: Database
) -> None:
    def add() -> bool:
        with elsewhere.writing() as work:
            try:
                work.wrappings.add(rows.wrapping(key_ref="ref:2"))
            except Fenced:
                return False
            return True

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            work.wrappings.fence("ref:2")
            added = pool.submit(add)
            assert is_waiting(added)
            work.commit()
        assert not added.result(timeout=30)


@pytest.mark.operator
def test_of_two_retirements_each_counts_what_the_other_left(
    database: Database, elsewhere: Database
) -> None:
    with database.writing() as work:
        retired = rows.data_key(data_key_id="dk_2", state=DataKeyState.DECRYPT_ONLY)
        refs = ("ref:2", "ref:3")
        work.data_keys.add(retired, [rows.wrapping(data_key_id="dk_2", key_ref=r) for r in refs])
        work.commit()

    def count() -> int:
        with elsewhere.writing() as work:
            return work.wrappings.count_stranded("ref:3", ["ref:2"])

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            assert work.wrappings.count_stranded("ref:2", ["ref:3"]) == 0
            stranded = pool.submit(count)
            assert is_waiting(stranded)
            work.wrappings.remove_all("ref:2", 9)
            work.commit()
        assert stranded.result(timeout=30) == 1


def add_retired_data_key(database: Database) -> None:
    with database.writing() as work:
        work.data_keys.add(rows.data_key(data_key_id="dk_2", state=DataKeyState.DECRYPT_ONLY), [])
        work.commit()


def delete_retired_data_key(database: Database) -> bool:
    with database.writing() as work:
        is_deleted = work.data_keys.delete_unused(rows.OURS, "dk_2")
        work.commit()
        return is_deleted


def test_a_data_key_is_not_deleted_under_a_value_that_is_being_sealed(
    database: Database, elsewhere: Database
) -> None:
    add_retired_data_key(database)
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            work.secrets.add(rows.secret(data_key_id="dk_2"))
            deleted = pool.submit(delete_retired_data_key, elsewhere)
            assert is_waiting(deleted)
            work.commit()
        assert not deleted.result(timeout=30)


@pytest.mark.operator
def test_a_data_key_that_is_about_to_be_wrapped_is_not_deleted_meanwhile(
    database: Database, elsewhere: Database
) -> None:
    add_retired_data_key(database)
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as work:
            assert work.data_keys.get(rows.OURS, "dk_2") is not None
            deleted = pool.submit(delete_retired_data_key, elsewhere)
            assert is_waiting(deleted)
            work.wrappings.add(rows.wrapping(data_key_id="dk_2"))
            work.commit()
        assert deleted.result(timeout=30)


def claim_all(database: Database, responses: Iterable[StoredResponse]) -> None:
    with database.writing() as work:
        for each in responses:
            work.stored_responses.claim(each, now_ms=100)
        work.commit()


def delete_expired(database: Database) -> None:
    with database.writing() as work:
        work.stored_responses.delete_expired(rows.OURS, 100, 10)
        work.commit()


def test_expired_claims_are_deleted_and_claimed_again_without_a_deadlock(
    database: Database, elsewhere: Database
) -> None:
    """One deletes in the order of expiry, the other claims in the opposite order."""
    expired = [rows.stored_response(f"r_{each}", expires_at_ms=each) for each in range(1, 5)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            claim_all(database, expired)
            deleting = pool.submit(delete_expired, elsewhere)
            claim_all(database, reversed(expired))
            deleting.result(timeout=30)


def test_of_two_revocations_one_finds_the_other(database: Database, elsewhere: Database) -> None:
    def revoke(by: Database, moment: int) -> bool:
        with by.writing() as work:
            found = work.api_keys.get(rows.OURS, rows.API_KEY)
            assert found is not None
            if found.unverified.revoked_at_ms is not None:
                return False
            work.api_keys.replace(rows.api_key(revoked_at_ms=moment))
            work.commit()
            return True

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(revoke, database, 5), pool.submit(revoke, elsewhere, 6)]
        assert sorted(each.result(timeout=30) for each in both) == [False, True]


def is_waiting(future: Future[Any]) -> bool:
    """Return True if it is not done in a moment."""
    return not wait([future], timeout=MOMENT).done
