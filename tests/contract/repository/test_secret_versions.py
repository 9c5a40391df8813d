"""Old values of secrets: archived, listed, deleted, and sealed again, each account by itself."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.data_keys import DataKeyState
from app.domain.guarded import Guarded
from app.domain.secret_versions import SecretVersion
from app.domain.secrets import SecretIdentity, SecretRef
from app.repository.base import Database, UnitOfWork
from app.repository.collections.secret_versions import FoundVersion, NamedVersion, Surplus
from tests.contract.repository import rows

BY_ID, BY_NAME = SecretRef.by_id("sec_0001"), SecretRef.by_name("NAME_1")
IDENTITY = Guarded(SecretIdentity(rows.OURS, "sec_0001", "NAME_1"), rows.MAC)


@pytest.fixture
def stocked(database: Database) -> Database:
    """Two accounts with a secret at version 5, of which versions 1 to 4 are archived."""
    with database.writing() as work:
        for account_id in (rows.OURS, rows.THEIRS):
            work.secrets.add(rows.secret(1, account_id, version=5, update_time_ms=50))
            for version in range(1, 5):
                add(work, account_id, version)
        work.commit()
    return database


def add(work: UnitOfWork, account_id: str, version: int) -> None:
    old = rows.old_version(
        1,
        account_id,
        version=version,
        created_at_ms=10 * version,
        replaced_at_ms=10 * version + 10,
        replaced_by=f"key_{version}",
    )
    assert work.secret_versions.add(old)


def stored(database: Database, account_id: str = rows.OURS) -> list[int]:
    """The numbers of the versions of the account's secret, the current one first."""
    with database.reading() as repository:
        found = repository.secret_versions.history(account_id, BY_ID, 100)
    return [] if found is None else [each.version for each in found]


@pytest.mark.parametrize("ref", [BY_ID, BY_NAME], ids=["id", "name"])
def test_a_history_begins_with_the_current_version(stocked: Database, ref: SecretRef) -> None:
    with stocked.reading() as repository:
        assert repository.secret_versions.history(rows.OURS, ref, 2) == [
            SecretVersion(5, 50, "key_4", is_current=True),
            SecretVersion(4, 40, "key_3", is_current=False),
            SecretVersion(3, 30, None, is_current=False),
        ]


def test_a_history_without_old_versions_is_the_current_one(database: Database) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        assert work.secret_versions.history(rows.OURS, BY_ID, 9) == [
            SecretVersion(1, 1, None, is_current=True)
        ]


def test_a_version_after_a_gap_was_set_by_nobody_known(stocked: Database) -> None:
    with stocked.writing() as work:
        assert work.secret_versions.delete(rows.OURS, "sec_0001", 3)
        found = work.secret_versions.history(rows.OURS, BY_ID, 9) or []
    assert [each.created_by for each in found] == ["key_4", None, "key_1", None]


def test_a_secret_that_does_not_exist_has_no_history(stocked: Database) -> None:
    with stocked.reading() as repository:
        versions = repository.secret_versions
        assert versions.history(rows.OURS, SecretRef.by_name("NAME_2"), 9) is None
        assert versions.find(rows.OURS, SecretRef.by_name("NAME_2"), 1) is None
        assert versions.find(rows.OURS, BY_ID, 5) is None
        assert versions.get(rows.OURS, "sec_0002", 1) is None


@pytest.mark.parametrize("ref", [BY_ID, BY_NAME], ids=["id", "name"])
def test_an_old_version_is_found_with_the_identity_of_its_secret(
    stocked: Database, ref: SecretRef
) -> None:
    with stocked.reading() as repository:
        found = repository.secret_versions.find(rows.OURS, ref, 2)
        old = repository.secret_versions.get(rows.OURS, "sec_0001", 2)
    assert old is not None
    assert found == FoundVersion(IDENTITY, old)
    assert (old.version, old.replaced_by, old.archived) == (2, "key_2", b"archived 1")


def test_a_number_is_archived_once(stocked: Database) -> None:
    with stocked.writing() as work:
        assert not work.secret_versions.add(rows.old_version(version=4, archived=b"another"))
        old = work.secret_versions.get(rows.OURS, "sec_0001", 4)
    assert old is not None
    assert old.archived == b"archived 1"


def test_a_version_whose_data_key_is_gone_is_not_archived_and_breaks_nothing(
    stocked: Database,
) -> None:
    with stocked.writing() as work:
        lost = rows.old_version(version=9, data_key_id="dk_lost")
        assert not work.secret_versions.add(lost)
        work.secrets.replace_value(rows.secret(version=6))
        work.commit()
    assert stored(stocked)[0] == 6


def test_deletions_leave_the_other_account_alone(stocked: Database) -> None:
    with stocked.writing() as work:
        assert work.secret_versions.delete(rows.OURS, "sec_0001", 2)
        assert not work.secret_versions.delete(rows.OURS, "sec_0001", 2)
        assert work.secret_versions.delete_below(rows.OURS, "sec_0001", 4) == 2
        work.commit()
    assert stored(stocked) == [5, 4]
    assert stored(stocked, rows.THEIRS) == [5, 4, 3, 2, 1]


def test_deleting_a_secret_deletes_its_versions(stocked: Database) -> None:
    with stocked.writing() as work:
        assert work.secrets.delete(rows.OURS, BY_NAME)
        assert work.secret_versions.get(rows.OURS, "sec_0001", 4) is None
        work.commit()
    assert stored(stocked, rows.THEIRS) == [5, 4, 3, 2, 1]


def test_versions_are_deleted_by_the_time_of_their_replacement(stocked: Database) -> None:
    with stocked.writing() as work:
        assert not work.secret_versions.has_older(rows.OURS, 19)
        assert work.secret_versions.delete_older(rows.OURS, 19, 9) == 0
        assert work.secret_versions.has_older(rows.OURS, 20)
        assert work.secret_versions.delete_older(rows.OURS, 40, 2) == 2
        work.commit()
    assert stored(stocked) == [5, 4, 3]
    with stocked.writing() as work:
        assert work.secret_versions.delete_older(rows.OURS, 40, 2) == 1
        work.commit()
    assert stored(stocked) == [5, 4]
    assert stored(stocked, rows.THEIRS) == [5, 4, 3, 2, 1]


def test_secrets_with_too_many_versions_are_found_in_parts(stocked: Database) -> None:
    with stocked.writing() as work:
        work.secrets.add(rows.secret(2))
        versions = work.secret_versions
        assert versions.surplus(rows.OURS, 4, None, 9) == Surplus([], None)
        assert versions.surplus(rows.OURS, 3, None, 1) == Surplus([("sec_0001", 2)], "sec_0001")
        assert versions.surplus(rows.OURS, 3, "sec_0001", 9) == Surplus([], None)
        assert versions.surplus(rows.OURS, 0, None, 9) == Surplus([("sec_0001", 5)], None)


def test_a_lock_brings_the_value_and_the_numbers_of_old_ones(stocked: Database) -> None:
    with stocked.writing() as work:
        work.secrets.add(rows.secret(2))
        locked, fresh = rows.lock(work, "sec_0001"), rows.lock(work, "sec_0002")
    assert locked.sealed == rows.secret(1, version=5).sealed()
    assert (locked.version, locked.oldest, locked.newest) == (5, 1, 4)
    assert (fresh.version, fresh.oldest, fresh.newest) == (1, 0, 0)
    assert fresh.size == len(rows.secret(2).envelope)


def test_a_data_key_of_an_old_version_is_not_deleted(database: Database) -> None:
    with database.writing() as work:
        work.data_keys.add(rows.data_key(data_key_id="dk_2", state=DataKeyState.DECRYPT_ONLY), [])
        work.secrets.add(rows.secret(version=2))
        assert work.secret_versions.add(rows.old_version(data_key_id="dk_2"))
        assert not work.data_keys.delete_unused(rows.OURS, "dk_2")


@pytest.mark.operator
def test_a_data_key_is_deleted_once_its_last_old_version_is(database: Database) -> None:
    with database.writing() as work:
        work.data_keys.add(rows.data_key(data_key_id="dk_2", state=DataKeyState.DECRYPT_ONLY), [])
        work.secrets.add(rows.secret(version=2))
        work.secret_versions.add(rows.old_version(data_key_id="dk_2"))
        work.secret_versions.delete(rows.OURS, "sec_0001", 1)
        assert work.data_keys.delete_unused(rows.OURS, "dk_2")


def test_versions_sealed_under_a_data_key_come_by_secret_and_number(stocked: Database) -> None:
    with stocked.writing() as work:
        work.secrets.add(rows.secret(2, version=2))
        work.secret_versions.add(rows.old_version(2))
        versions = work.secret_versions
        first = versions.sealed_under(rows.OURS, rows.DATA_KEY, 3, None)
        last = first[-1].archived
        rest = versions.sealed_under(rows.OURS, rows.DATA_KEY, 9, (last.secret_id, last.version))
        assert versions.sealed_under(rows.OURS, "dk_2", 9, None) == []
    assert [each.archived.version for each in first] == [1, 2, 3]
    assert [(each.name, each.archived.version) for each in rest] == [("NAME_1", 4), ("NAME_2", 1)]
    assert rest[1] == NamedVersion("NAME_2", rows.old_version(2))


@pytest.mark.parametrize(
    ("changes", "is_resealed"),
    [({}, True), ({"archived": b"another"}, False), ({"data_key_id": "dk_3"}, False)],
)
def test_a_version_is_resealed_only_if_it_is_as_it_was_read(
    stocked: Database, changes: dict[str, Any], is_resealed: bool
) -> None:
    with stocked.writing() as work:
        work.data_keys.add(rows.data_key(data_key_id="dk_2", state=DataKeyState.DECRYPT_ONLY), [])
        before = work.secret_versions.get(rows.OURS, "sec_0001", 1)
        assert before is not None
        new = replace(before, data_key_id="dk_2", archived=b"resealed")
        read = replace(before, **changes)
        assert work.secret_versions.reseal(new, before=read) is is_resealed
        found = work.secret_versions.get(rows.OURS, "sec_0001", 1)
    assert found == (new if is_resealed else before)


def test_versions_are_counted_by_the_age_of_their_data_keys(stocked: Database) -> None:
    with stocked.reading() as repository:
        assert [repository.secret_versions.count_under(at) for at in (0, 1)] == [0, 8]
