"""Ended rows are deleted in bounded batches, and an account's usage is counted in parts."""

import pytest

from app.domain.operations.usage import ROW_BYTES, CountedTable, CountedUsage, Usage
from app.repository.base import Database
from app.repository.collections.batches import Position
from app.repository.sql.tables import usage
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase


@pytest.fixture
def full(database: Database) -> Database:
    """Five rows of each kind in ours, one in theirs; those of lower numbers end first."""
    with database.writing() as work:
        for number in range(1, 6):
            work.secrets.add(rows.secret(number, envelope=bytes(number)))
            work.injections.add(rows.injection(number, expires_at_ms=number, bound="x" * number))
            response = rows.stored_response(
                f"request_{number}", expires_at_ms=number, response=bytes(number)
            )
            work.stored_responses.claim(response, 0)
        work.injections.add(rows.injection(1, rows.THEIRS, expires_at_ms=1))
        work.commit()
    return database


def ids_of(database: Database, account_id: str) -> list[str]:
    with database.reading() as repository:
        batch = repository.injections.page(account_id, None, 10)
    return [each.unverified.id for each in batch.rows if not hasattr(each, "table")]


def test_ended_injections_are_deleted_oldest_first_and_at_most_so_many(full: Database) -> None:
    with full.writing() as work:
        assert work.injections.delete_ended(rows.OURS, 4, 3) == 3
        work.commit()
    assert ids_of(full, rows.OURS) == ["inj_0005", "inj_0004"]
    assert ids_of(full, rows.THEIRS) == ["inj_0001"]


def test_injections_that_have_not_ended_stay(full: Database) -> None:
    with full.writing() as work:
        assert work.injections.has_ended(rows.OURS, 1)
        assert not work.injections.has_ended(rows.OURS, 0)
        assert work.injections.delete_ended(rows.OURS, 0, 100) == 0


def test_expired_responses_are_deleted_up_to_the_limit(full: Database) -> None:
    with full.writing() as work:
        assert work.stored_responses.delete_expired(rows.OURS, 4, 3) == 3
        assert work.stored_responses.delete_expired(rows.OURS, 4, 3) == 1
        assert not work.stored_responses.has_expired(rows.OURS, 4)
        assert work.stored_responses.has_expired(rows.OURS, 5)


def test_responses_that_expire_too_late_end_sooner_up_to_the_limit(
    full: Database,
) -> None:
    with full.writing() as work:
        assert work.stored_responses.end_later(rows.OURS, 3, 3, 1) == 1
        assert work.stored_responses.has_later(rows.OURS, 3)
        while work.stored_responses.end_later(rows.OURS, 3, 3, 1):
            pass
        assert not work.stored_responses.has_later(rows.OURS, 3)
        assert not work.stored_responses.has_expired(rows.OURS, 0)


def test_an_api_key_is_deleted_only_if_it_made_no_injection_that_is_there(full: Database) -> None:
    with full.writing() as work:
        work.api_keys.add(rows.api_key(key_id="key_2"))
        work.api_keys.add(rows.api_key(rows.THEIRS, "key_2"))
        assert work.api_keys.delete_unused(rows.OURS, [rows.API_KEY, "key_2", "key_3"]) == 1
        assert work.api_keys.get(rows.OURS, rows.API_KEY) is not None
        assert work.api_keys.get(rows.OURS, "key_2") is None
        assert work.api_keys.get(rows.THEIRS, "key_2") is not None


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
@pytest.mark.parametrize(
    ("table", "count", "size"),
    [
        (CountedTable.SECRETS, 5, 15),
        (CountedTable.INJECTIONS, 5, 15),
        (CountedTable.STORED_RESPONSES, 5, 15),
        (CountedTable.API_KEYS, 1, len("a key")),
    ],
)
def test_the_rows_of_an_account_are_counted_in_parts(
    full: Database, table: CountedTable, count: int, size: int, limit: int
) -> None:
    found, total = 0, 0
    after: Position | None = None
    with full.reading() as repository:
        while True:
            tally = repository.usage.tally(rows.OURS, table, after, limit)
            assert tally.rows <= limit
            found, total = found + tally.rows, total + tally.bytes
            if tally.after is None:
                break
            after = tally.after
    assert (found, total) == (count, size + count * ROW_BYTES)


def test_a_count_replaces_the_one_before(full: Database) -> None:
    with full.writing() as work:
        assert work.usage.get(rows.OURS) is None
        for number in (1, 2):
            work.usage.put(rows.OURS, CountedUsage(Usage(number, 2, 3, 4), number))
        assert work.usage.get(rows.OURS) == CountedUsage(Usage(2, 2, 3, 4), 2)
        assert work.usage.get(rows.THEIRS) is None


@pytest.mark.parametrize("value", ["many", None])
def test_a_damaged_count_is_none(full: Database, case: DatabaseCase, value: str | None) -> None:
    if not case.can_hold(usage.c.bytes, value):
        pytest.skip("the type of this column cannot hold the value")
    with full.writing() as work:
        work.usage.put(rows.OURS, CountedUsage(Usage(), 1))
        work.commit()
    case.loosen("usage")
    case.execute("UPDATE usage SET bytes = ?", value)
    with full.reading() as repository:
        assert repository.usage.get(rows.OURS) is None


def take(database: Database, holder: str, now_ms: int) -> bool:
    with database.writing() as work:
        is_held = work.leases.take("sweep", holder, now_ms, now_ms + 100)
        work.commit()
    return is_held


def test_a_lease_has_one_holder_until_it_ends(database: Database) -> None:
    assert take(database, "first", 1000)
    assert not take(database, "second", 1099)
    assert take(database, "first", 1099)
    assert not take(database, "second", 1198)
    assert take(database, "second", 1199)


def test_a_lease_that_was_given_up_is_free(database: Database) -> None:
    take(database, "first", 1000)
    with database.writing() as work:
        work.leases.give_up("sweep", "second")
        work.commit()
    assert not take(database, "second", 1001)
    with database.writing() as work:
        work.leases.give_up("sweep", "first")
        work.commit()
    assert take(database, "second", 1001)


def test_a_clock_that_was_ahead_leaves_no_lease_that_lasts(database: Database) -> None:
    take(database, "first", 10**12)
    assert take(database, "second", 1000)


def test_account_ids_are_listed_from_after_one(database: Database) -> None:
    with database.reading() as repository:
        assert repository.accounts.ids(None, 10) == [rows.OURS, rows.THEIRS]
        assert repository.accounts.ids(None, 1) == [rows.OURS]
        assert repository.accounts.ids(rows.OURS, 10) == [rows.THEIRS]
