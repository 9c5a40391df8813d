"""Accounts, their API keys, and the deployment that they belong to."""

import pytest

from app.domain.access.scopes import Scope
from app.repository.base import Conflict, Database
from app.repository.collections.batches import Batch
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase


def test_there_is_no_deployment_before_one_is_filed(case: DatabaseCase) -> None:
    database = case.connect()
    database.upgrade()
    with database.reading() as repository:
        assert repository.deployment.get_id() is None


@pytest.mark.operator
def test_a_second_deployment_is_refused(database: Database) -> None:
    with database.writing() as work, pytest.raises(Conflict):
        work.deployment.add("dep_2")


@pytest.mark.operator
def test_a_reencryption_is_kept_until_another_starts_or_it_ends(database: Database) -> None:
    with database.writing() as work:
        assert work.deployment.get_reencryption() is None
        for started_ms in (1_700_000_000_000, 1_800_000_000_000):
            work.deployment.start_reencryption(rows.reencryption(started_ms))
            assert work.deployment.get_reencryption() == rows.reencryption(started_ms)
        work.deployment.end_reencryption()
        assert work.deployment.get_reencryption() is None


def test_a_database_without_a_deployment_has_no_reencryption(case: DatabaseCase) -> None:
    database = case.connect()
    database.upgrade()
    with database.reading() as repository:
        assert repository.deployment.get_reencryption() is None


def test_an_account_is_kept_as_it_was_given(database: Database) -> None:
    with database.reading() as repository:
        assert repository.accounts.get(rows.OURS) == rows.account()


def test_an_account_that_does_not_exist_is_none(database: Database) -> None:
    with database.reading() as repository:
        assert repository.accounts.get("acct_missing") is None


@pytest.mark.operator
def test_replacing_an_account_touches_no_other(database: Database) -> None:
    changed = rows.account(devbox=False, name="another name")
    with database.writing() as work:
        work.accounts.replace(changed)
        work.commit()
    with database.reading() as repository:
        found = repository.accounts.sweep(None, 10)
    assert found == Batch([changed, rows.account(rows.THEIRS)], None)


@pytest.mark.operator
def test_accounts_are_listed_by_id_in_batches(database: Database) -> None:
    with database.writing() as work:
        work.accounts.add(rows.account("acct_0"))
        first = work.accounts.sweep(None, 2)
        rest = work.accounts.sweep(first.after, 2)
    assert first == Batch([rows.account("acct_0"), rows.account()], (rows.OURS,))
    assert rest == Batch([rows.account(rows.THEIRS)], None)


def test_an_account_is_found_by_its_name(database: Database) -> None:
    with database.reading() as repository:
        assert repository.accounts.named(f"account {rows.OURS}") == rows.account()
        assert repository.accounts.named(f"ACCOUNT {rows.OURS}") is None
        assert repository.accounts.named(rows.OURS) is None


@pytest.mark.operator
@pytest.mark.parametrize("changed", [{"id": "acct_0"}, {"name": "another name"}], ids=str)
def test_an_account_id_or_name_cannot_be_taken_twice(
    database: Database, changed: dict[str, str]
) -> None:
    account = rows.account(rows.OURS, **changed)
    with database.writing() as work, pytest.raises(Conflict):
        work.accounts.add(account)


def test_an_api_key_comes_with_its_account(database: Database) -> None:
    with database.reading() as repository:
        found = repository.api_keys.get_with_account(rows.OURS, rows.API_KEY)
    assert found == (rows.api_key(), rows.account())


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({Scope.SECRETS_READ, Scope.KEYS_WRITE})])
@pytest.mark.parametrize("time_ms", [None, 1_700_000_000_000])
def test_an_api_key_is_kept_as_it_was_given(
    database: Database, scopes: frozenset[Scope], time_ms: int | None
) -> None:
    key = rows.api_key(
        key_id="key_2", restricted=True, scopes=scopes, expires_at_ms=time_ms, revoked_at_ms=time_ms
    )
    with database.writing() as work:
        work.api_keys.add(key)
        work.commit()
    with database.reading() as repository:
        assert repository.api_keys.get(rows.OURS, "key_2") == key


def test_another_accounts_api_key_is_not_there(database: Database) -> None:
    with database.writing() as work:
        work.api_keys.add(rows.api_key(rows.THEIRS, "key_theirs"))
        assert work.api_keys.get(rows.OURS, "key_theirs") is None
        assert work.api_keys.get_with_account(rows.OURS, "key_theirs") is None
        assert work.api_keys.page(rows.OURS, None, 10) == Batch([rows.api_key()], None)


def test_api_keys_are_listed_oldest_first_in_batches(database: Database) -> None:
    with database.writing() as work:
        work.api_keys.add(rows.api_key(key_id="key_3"))
        work.api_keys.add(rows.api_key(key_id="key_2"))
        first = work.api_keys.page(rows.OURS, None, 2)
        rest = work.api_keys.page(rows.OURS, first.after, 2)
    assert first == Batch([rows.api_key(), rows.api_key(key_id="key_2")], ("key_2",))
    assert rest == Batch([rows.api_key(key_id="key_3")], None)


def test_a_revoked_api_key_is_seen_elsewhere_at_once(
    database: Database, elsewhere: Database
) -> None:
    revoked = rows.api_key(revoked_at_ms=5)
    with elsewhere.reading() as repository:
        repository.api_keys.get(rows.OURS, rows.API_KEY)
        with database.writing() as work:
            work.api_keys.replace(revoked)
            work.commit()
        assert repository.api_keys.get(rows.OURS, rows.API_KEY) == revoked


def test_a_sweep_gives_the_api_keys_of_every_account_in_batches(database: Database) -> None:
    with database.reading() as repository:
        first = repository.api_keys.sweep(None, 1)
        rest = repository.api_keys.sweep(first.after, 1)
    assert first == Batch([rows.api_key()], (rows.OURS, rows.API_KEY))
    assert rest == Batch([rows.api_key(rows.THEIRS)], None)
