"""Data keys with their wrappings, and the fences of retired root keys."""

from contextlib import suppress

import pytest

from app.domain.data_keys import DataKeyState, GuardedDataKey
from app.domain.errors import StorageUnavailable
from app.repository.base import Conflict, Database, Fenced
from tests.contract.repository import rows

RETIRED = DataKeyState.DECRYPT_ONLY


def add_retired(database: Database, data_key_id: str, *key_refs: str) -> None:
    with database.writing() as work:
        work.data_keys.add(
            rows.data_key(data_key_id=data_key_id, state=RETIRED),
            [rows.wrapping(data_key_id=data_key_id, key_ref=key_ref) for key_ref in key_refs],
        )
        work.commit()


def test_a_data_key_comes_with_all_its_wrappings(database: Database) -> None:
    recovery = rows.wrapping(key_ref="recovery:1", scheme="recovery", blob=b"other bytes")
    expected = GuardedDataKey(rows.data_key(), (rows.wrapping(), recovery))
    with database.writing() as work:
        work.wrappings.add(recovery)
        assert work.data_keys.get(rows.OURS, rows.DATA_KEY) == expected
        assert work.data_keys.get_active(rows.OURS) == expected


def test_a_data_key_without_wrappings_is_found(database: Database) -> None:
    add_retired(database, "dk_2")
    with database.reading() as repository:
        stored = repository.data_keys.get(rows.OURS, "dk_2")
    assert stored == GuardedDataKey(rows.data_key(data_key_id="dk_2", state=RETIRED), ())


def test_several_data_keys_come_at_once_each_with_its_wrappings(database: Database) -> None:
    add_retired(database, "dk_2", "ref:1", "ref:2")
    add_retired(database, "dk_3", "ref:1")
    with database.reading() as repository:
        found = repository.data_keys.find(rows.OURS, [rows.DATA_KEY, "dk_2", "dk_4"])
        assert found == [
            repository.data_keys.get(rows.OURS, data_key_id)
            for data_key_id in (rows.DATA_KEY, "dk_2")
        ]
        assert repository.data_keys.find(rows.THEIRS, ["dk_2"]) == []


def test_secrets_are_counted_by_the_age_of_their_data_key(database: Database) -> None:
    newer = rows.data_key(data_key_id="dk_2", state=RETIRED, created_at_ms=5)
    with database.writing() as work:
        work.data_keys.add(newer, [])
        work.secrets.add(rows.secret(1))
        work.secrets.add(rows.secret(2))
        work.secrets.add(rows.secret(3, data_key_id="dk_2"))
        assert [work.data_keys.count_secrets(at) for at in (0, 1, 4, 5)] == [0, 2, 2, 3]


def test_a_data_key_that_does_not_exist_is_none(database: Database) -> None:
    with database.reading() as repository:
        assert repository.data_keys.get(rows.OURS, "dk_2") is None
        assert repository.data_keys.get_active("acct_new") is None


def test_an_account_without_a_row_can_own_a_data_key(database: Database) -> None:
    with database.writing() as work:
        work.data_keys.add(rows.data_key("_system"), [rows.wrapping("_system")])
        assert work.data_keys.get_active("_system") is not None


def test_a_second_active_data_key_is_refused(database: Database) -> None:
    with database.writing() as work, pytest.raises(Conflict):
        work.data_keys.add(rows.data_key(data_key_id="dk_2"), [])


def test_a_data_key_id_cannot_be_taken_twice(database: Database) -> None:
    with database.writing() as work, pytest.raises(Conflict):
        work.data_keys.add(rows.data_key(state=RETIRED), [])


def test_a_retired_data_key_makes_place_for_a_new_one(database: Database) -> None:
    with database.writing() as work:
        work.data_keys.replace(rows.data_key(state=RETIRED))
        work.data_keys.add(rows.data_key(data_key_id="dk_2"), [rows.wrapping(data_key_id="dk_2")])
        active = work.data_keys.get_active(rows.OURS)
        retired = work.data_keys.get(rows.OURS, "dk_1")
    assert active == GuardedDataKey(
        rows.data_key(data_key_id="dk_2"), (rows.wrapping(data_key_id="dk_2"),)
    )
    assert retired == GuardedDataKey(rows.data_key(state=RETIRED), (rows.wrapping(),))


def test_a_data_key_in_use_is_not_deleted(database: Database) -> None:
    add_retired(database, "dk_2", "ref:1")
    with database.writing() as work:
        work.secrets.add(rows.secret(data_key_id="dk_2"))
        assert not work.data_keys.delete_unused(rows.OURS, "dk_2")
        assert work.data_keys.get(rows.OURS, "dk_2") is not None


def test_an_active_data_key_is_not_deleted(database: Database) -> None:
    with database.writing() as work:
        assert not work.data_keys.delete_unused(rows.OURS, rows.DATA_KEY)
        assert work.data_keys.get(rows.OURS, rows.DATA_KEY) is not None


@pytest.mark.operator
def test_an_unused_data_key_is_deleted_with_its_wrappings(database: Database) -> None:
    add_retired(database, "dk_2", "ref:1", "ref:2")
    with database.writing() as work:
        assert work.data_keys.delete_unused(rows.OURS, "dk_2")
        assert work.data_keys.get(rows.OURS, "dk_2") is None
        assert work.wrappings.counts() == {rows.KEY_REF: 2}


def test_a_secret_cannot_name_a_data_key_that_does_not_exist(database: Database) -> None:
    with database.writing() as work, pytest.raises(StorageUnavailable):
        work.secrets.add(rows.secret(data_key_id="dk_missing"))


def test_a_secret_cannot_name_another_accounts_data_key(database: Database) -> None:
    with database.writing() as work:
        work.data_keys.add(rows.data_key(rows.THEIRS, "dk_theirs", state=RETIRED), [])
        with pytest.raises(StorageUnavailable):
            work.secrets.add(rows.secret(data_key_id="dk_theirs"))


def test_a_wrapping_cannot_stand_without_its_data_key(database: Database) -> None:
    with database.writing() as work, pytest.raises(StorageUnavailable):
        work.wrappings.add(rows.wrapping(data_key_id="dk_missing"))


def test_a_root_key_wraps_a_data_key_once(database: Database) -> None:
    with database.writing() as work, pytest.raises(Conflict):
        work.wrappings.add(rows.wrapping(blob=b"other bytes"))


@pytest.mark.operator
@pytest.mark.parametrize(("blob", "is_removed"), [(b"wrapped", True), (b"other bytes", False)])
def test_a_wrapping_is_removed_only_as_it_was_read(
    database: Database, blob: bytes, *, is_removed: bool
) -> None:
    with database.writing() as work:
        assert work.wrappings.remove(rows.wrapping(blob=blob).unverified) is is_removed
        assert work.wrappings.counts() == {rows.KEY_REF: 1 if is_removed else 2}


def test_wrappings_are_counted_by_key_ref(database: Database) -> None:
    add_retired(database, "dk_2", rows.KEY_REF, "ref:2")
    with database.reading() as repository:
        assert repository.wrappings.counts() == {rows.KEY_REF: 3, "ref:2": 1}


def test_data_keys_without_certain_wrappings_are_counted(database: Database) -> None:
    add_retired(database, "dk_2", "ref:2", "ref:3")
    add_retired(database, "dk_3")
    with database.reading() as repository:
        assert repository.data_keys.count() == 4
        assert repository.data_keys.count_without([]) == 4
        assert repository.data_keys.count_without(["ref:2", "ref:3"]) == 3
        assert repository.data_keys.count_without([rows.KEY_REF, "ref:3"]) == 1
        assert repository.data_keys.count_incomplete([rows.KEY_REF]) == 2
        assert repository.data_keys.count_incomplete([rows.KEY_REF, "ref:3"]) == 4


def test_stranded_data_keys_are_counted(database: Database) -> None:
    add_retired(database, "dk_2", "ref:2", "ref:3")
    add_retired(database, "dk_3", "ref:2")
    with database.reading() as repository:
        assert repository.wrappings.count_stranded("ref:2", []) == 2
        assert repository.wrappings.count_stranded("ref:2", ["ref:3", rows.KEY_REF]) == 1


@pytest.mark.operator
def test_wrappings_are_removed_in_batches(database: Database) -> None:
    for data_key_id in ("dk_2", "dk_3", "dk_4"):
        add_retired(database, data_key_id, "ref:2")
    with database.writing() as work:
        removed = [work.wrappings.remove_all("ref:2", 2) for _ in range(3)]
        assert removed == [2, 1, 0]
        assert work.wrappings.counts() == {rows.KEY_REF: 2}


@pytest.mark.operator
def test_a_fenced_root_key_wraps_no_more(database: Database, elsewhere: Database) -> None:
    with database.writing() as work:
        work.wrappings.fence("ref:2")
        work.wrappings.fence("ref:2")
        work.commit()
    with elsewhere.writing() as work:
        assert work.wrappings.fences() == ["ref:2"]
        with pytest.raises(Fenced):
            work.wrappings.add(rows.wrapping(key_ref="ref:2"))


@pytest.mark.operator
def test_a_fence_of_a_root_key_holds_for_all_its_versions(database: Database) -> None:
    with database.writing() as work:
        work.wrappings.fence("root")
        with pytest.raises(Fenced):
            work.wrappings.add(rows.wrapping(key_ref="ref:2", root="root"))
        work.wrappings.add(rows.wrapping(key_ref="ref:2", root="another"))


@pytest.mark.operator
def test_fencing_tells_whether_there_was_no_fence(database: Database) -> None:
    with database.writing() as work:
        assert work.wrappings.fence("ref:2")
        assert not work.wrappings.fence("ref:2")


@pytest.mark.operator
def test_a_new_data_key_under_a_fenced_root_key_is_not_left_half_there(
    database: Database,
) -> None:
    with suppress(Fenced), database.writing() as work:
        work.wrappings.fence("ref:2")
        wrappings = [rows.wrapping("acct_new"), rows.wrapping("acct_new", key_ref="ref:2")]
        work.data_keys.add(rows.data_key("acct_new"), wrappings)
        work.commit()
    with database.reading() as repository:
        assert repository.data_keys.get_active("acct_new") is None


@pytest.mark.operator
def test_a_lifted_fence_lets_wrappings_in_again(database: Database) -> None:
    with database.writing() as work:
        work.wrappings.fence("ref:2")
        work.wrappings.lift_fence("ref:2")
        work.wrappings.add(rows.wrapping(key_ref="ref:2"))
        assert work.wrappings.counts()["ref:2"] == 1


@pytest.mark.operator
def test_lifting_a_fence_tells_whether_there_was_one(database: Database) -> None:
    with database.writing() as work:
        work.wrappings.fence("ref:2")
        assert work.wrappings.lift_fence("ref:2")
        assert not work.wrappings.lift_fence("ref:2")


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_a_sweep_meets_every_data_key_once_in_order(database: Database, batch: int) -> None:
    add_retired(database, "dk_0")
    add_retired(database, "dk_2")
    swept: list[tuple[str, str]] = []
    with database.reading() as repository:
        while page := repository.data_keys.sweep(swept[-1] if swept else None, batch):
            swept += page
    ours = [(rows.OURS, data_key_id) for data_key_id in ("dk_0", "dk_1", "dk_2")]
    assert swept == [*ours, (rows.THEIRS, "dk_1")]
