"""Secrets: found, paged, counted, replaced and deleted, each account by itself."""

import pytest

from app.domain.data_keys import DataKeyState
from app.domain.errors import TamperedRow
from app.domain.secrets import Secret, SecretFilter, SecretRef, StoredSecret
from app.repository.base import Conflict, Database, Repository
from app.repository.collections.secrets import SealedSecrets
from tests.contract.repository import rows

EVERYTHING = SecretFilter()


def add(database: Database, *numbers: int, account_id: str = rows.OURS) -> None:
    with database.writing() as work:
        for number in numbers:
            work.secrets.add(rows.secret(number, account_id))
        work.commit()


def name_all(database: Database, *names: str) -> None:
    with database.writing() as work:
        for number, name in enumerate(names):
            work.secrets.add(rows.secret(number, name=name))
        work.commit()


def found(database: Database, wanted: SecretFilter) -> list[str]:
    with database.reading() as repository:
        page = repository.secrets.page(rows.OURS, wanted, 100, None)
        assert repository.secrets.count(rows.OURS, wanted) == len(page)
        assert repository.secrets.page_and_count(rows.OURS, wanted, 100, None) == (page, len(page))
    return sorted(secret.name for secret in page)


def test_a_secret_is_viewed_by_name_and_by_id(database: Database) -> None:
    add(database, 1, 2)
    with database.reading() as repository:
        expected = Secret("sec_0002", "NAME_2", 2, 2)
        assert repository.secrets.view(rows.OURS, SecretRef.by_name("NAME_2")) == expected
        assert repository.secrets.view(rows.OURS, SecretRef.by_id("sec_0002")) == expected


def test_a_secret_that_does_not_exist_is_none(database: Database) -> None:
    with database.reading() as repository:
        assert repository.secrets.view(rows.OURS, SecretRef.by_name("NAME_1")) is None
        assert repository.secrets.view(rows.OURS, SecretRef.by_id("sec_0001")) is None


def test_names_differ_by_case(database: Database) -> None:
    name_all(database, "name", "NAME")
    with database.reading() as repository:
        assert repository.secrets.view(rows.OURS, SecretRef.by_name("Name")) is None
        lower = repository.secrets.view(rows.OURS, SecretRef.by_name("name"))
    assert lower is not None
    assert lower.name == "name"


def test_another_accounts_secret_is_not_there(database: Database) -> None:
    add(database, 1, account_id=rows.THEIRS)
    with database.writing() as work:
        assert work.secrets.view(rows.OURS, SecretRef.by_name("NAME_1")) is None
        assert work.secrets.view(rows.OURS, SecretRef.by_id("sec_0001")) is None
        assert work.secrets.find(rows.OURS, ["NAME_1", "sec_0001"]) == []
        assert work.secrets.sealed(rows.OURS, ["sec_0001"], rows.ANY_SIZE) == SealedSecrets((), [])
        assert work.secrets.page(rows.OURS, EVERYTHING, 10, None) == []
        assert work.secrets.count(rows.OURS, EVERYTHING) == 0
        assert not work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001"))


def test_two_accounts_can_have_one_name(database: Database) -> None:
    add(database, 1)
    add(database, 1, account_id=rows.THEIRS)
    with database.reading() as repository:
        assert repository.secrets.view(rows.THEIRS, SecretRef.by_name("NAME_1")) is not None


def test_a_name_cannot_be_taken_twice(database: Database) -> None:
    add(database, 1)
    with database.writing() as work, pytest.raises(Conflict):
        work.secrets.add(rows.secret(2, name="NAME_1"))


def test_pages_are_newest_first_and_meet_without_gap(database: Database) -> None:
    add(database, *range(1, 8))
    ids, after = [], None
    with database.reading() as repository:
        while page := repository.secrets.page(rows.OURS, EVERYTHING, 3, after):
            ids += [secret.id for secret in page]
            after = ids[-1]
    assert ids == [f"sec_{number:04}" for number in range(7, 0, -1)]


def test_a_cursor_is_a_position_whether_or_not_it_exists(database: Database) -> None:
    add(database, 1, 2, 4)
    with database.reading() as repository:
        page = repository.secrets.page(rows.OURS, EVERYTHING, 3, "sec_0003")
    assert [secret.id for secret in page] == ["sec_0002", "sec_0001"]


@pytest.mark.parametrize("after_id", [None, "sec_0004", "sec_0001"])
@pytest.mark.parametrize("wanted", [EVERYTHING, SecretFilter(search="NAME")])
def test_the_count_beside_a_page_is_that_of_all_pages(
    database: Database, wanted: SecretFilter, after_id: str | None
) -> None:
    add(database, *range(1, 8))
    add(database, 1, account_id=rows.THEIRS)
    with database.reading() as repository:
        page = repository.secrets.page(rows.OURS, wanted, 3, after_id)
        assert repository.secrets.page_and_count(rows.OURS, wanted, 3, after_id) == (page, 7)


def test_ids_are_ordered_bytewise(database: Database) -> None:
    ids = ["sec_0", "sec_9", "sec_A", "sec_Z", "sec_a", "sec_z"]
    with database.writing() as work:
        for number, secret_id in enumerate(ids):
            work.secrets.add(rows.secret(number, id=secret_id))
        work.commit()
    with database.reading() as repository:
        page = repository.secrets.page(rows.OURS, EVERYTHING, 10, "sec_zz")
    assert [secret.id for secret in page] == ids[::-1]


def test_a_filter_by_name_finds_exactly_that_name(database: Database) -> None:
    name_all(database, "NAME", "NAME_2", "name")
    assert found(database, SecretFilter(name="NAME")) == ["NAME"]


@pytest.mark.parametrize("part", ["pass", "PASS", "b_pa"])
def test_a_search_finds_parts_in_either_case(database: Database, part: str) -> None:
    name_all(database, "DB_PASS", "db_password", "TOKEN")
    assert found(database, SecretFilter(search=part)) == ["DB_PASS", "db_password"]


@pytest.mark.parametrize("special", ["_", "%", "\\", "A%", "A_C", "\\_", "'", '"', "*", "?"])
def test_a_search_takes_every_character_as_itself(database: Database, special: str) -> None:
    name_all(database, "ABC", f"x{special}x")
    assert found(database, SecretFilter(search=special)) == [f"x{special}x"]


def test_name_and_search_hold_together(database: Database) -> None:
    name_all(database, "DB_PASS", "DB_USER")
    assert found(database, SecretFilter(name="DB_PASS", search="user")) == []
    assert found(database, SecretFilter(name="DB_PASS", search="pass")) == ["DB_PASS"]


def test_a_filter_holds_on_every_page(database: Database) -> None:
    name_all(database, "A_1", "B_1", "A_2", "B_2", "A_3")
    with database.reading() as repository:
        wanted = SecretFilter(search="a_")
        first = repository.secrets.page(rows.OURS, wanted, 2, None)
        second = repository.secrets.page(rows.OURS, wanted, 2, first[-1].id)
    assert [secret.name for secret in first + second] == ["A_3", "A_2", "A_1"]


@pytest.mark.parametrize("size", [1, 2, 3, 64, 65, 256])
def test_many_are_found_at_once_by_name_or_id(database: Database, size: int) -> None:
    add(database, *range(1, size + 1))
    refs = [f"NAME_{n}" if n % 2 else f"sec_{n:04}" for n in range(1, size + 1)]
    with database.reading() as repository:
        secrets = repository.secrets.find(rows.OURS, [*refs, "MISSING"])
    assert sorted(secrets) == [rows.secret(n).view() for n in range(1, size + 1)]


def test_none_are_found_where_none_are_asked_for(database: Database) -> None:
    add(database, 1)
    with database.reading() as repository:
        assert repository.secrets.find(rows.OURS, []) == []


def test_sealed_values_come_with_each_data_key_once(database: Database) -> None:
    with database.writing() as work:
        work.wrappings.add(rows.wrapping(key_ref="recovery:1"))
        work.data_keys.replace(rows.data_key(state=DataKeyState.DECRYPT_ONLY))
        work.data_keys.add(rows.data_key(data_key_id="dk_2"), [rows.wrapping(data_key_id="dk_2")])
        work.secrets.add(rows.secret(1))
        work.secrets.add(rows.secret(2))
        work.secrets.add(rows.secret(3, data_key_id="dk_2"))
        work.commit()
    with database.reading() as repository:
        sealed = all_sealed(repository, "sec_0001", "sec_0002", "sec_0003")
        first = repository.data_keys.get(rows.OURS, "dk_1")
        second = repository.data_keys.get(rows.OURS, "dk_2")
    stored = [rows.secret(1), rows.secret(2), rows.secret(3, data_key_id="dk_2")]
    assert sealed.secrets == tuple(secret.sealed() for secret in stored)
    assert sealed.data_keys == [first, second]
    assert first is not None
    assert len(first.wrappings) == 2


@pytest.mark.parametrize("envelope_bytes", [10, 100_000])
def test_sealed_values_are_read_anew(database: Database, envelope_bytes: int) -> None:
    old = [rows.secret(number, envelope=bytes(envelope_bytes)) for number in (1, 2)]
    new = old[1]._replace(version=2, envelope=bytes([1]) * envelope_bytes)
    with database.writing() as work:
        for secret in old:
            work.secrets.add(secret)
        before = all_sealed(work, "sec_0001", "sec_0002")
        work.secrets.replace_value(new)
        after = all_sealed(work, "sec_0001", "sec_0002")
    assert before.secrets == (old[0].sealed(), old[1].sealed())
    assert after.secrets == (old[0].sealed(), new.sealed())


def all_sealed(repository: Repository, *secret_ids: str) -> SealedSecrets:
    sealed = repository.secrets.sealed(rows.OURS, secret_ids, rows.ANY_SIZE)
    assert sealed is not None
    return sealed


def all_of(repository: Repository, account_id: str) -> list[StoredSecret]:
    return repository.secrets.sealed_under(account_id, rows.DATA_KEY, 9, None)


def test_replacing_a_value_writes_it_whole_and_keeps_the_rest(database: Database) -> None:
    add(database, 1)
    replaced = rows.secret(1, version=2, envelope=b"another", update_time_ms=9)
    with database.writing() as work:
        work.secrets.replace_value(replaced._replace(name="IGNORED", create_time_ms=8))
        work.commit()
    with database.reading() as repository:
        assert all_of(repository, rows.OURS) == [replaced]


def test_replacing_a_value_touches_no_other(database: Database) -> None:
    add(database, 1, 2)
    add(database, 1, account_id=rows.THEIRS)
    with database.writing() as work:
        work.secrets.replace_value(rows.secret(1, version=2))
        work.commit()
    with database.reading() as repository:
        assert all_of(repository, rows.OURS)[1:] == [rows.secret(2)]
        assert all_of(repository, rows.THEIRS) == [rows.secret(1, rows.THEIRS)]


def test_delete_tells_whether_there_was_one(database: Database) -> None:
    add(database, 1, 2)
    with database.writing() as work:
        assert work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001"))
        assert not work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001"))
        work.commit()
    assert found(database, EVERYTHING) == ["NAME_2"]


def test_the_name_of_a_deleted_secret_is_free(database: Database) -> None:
    add(database, 1)
    with database.writing() as work:
        work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001"))
        work.secrets.add(rows.secret(2, name="NAME_1"))
        work.commit()
    assert found(database, EVERYTHING) == ["NAME_1"]


def test_secrets_sealed_under_a_data_key_come_in_order_of_id(database: Database) -> None:
    add(database, 3, 1, 2)
    with database.reading() as repository:
        first = repository.secrets.sealed_under(rows.OURS, rows.DATA_KEY, 2, None)
        rest = repository.secrets.sealed_under(rows.OURS, rows.DATA_KEY, 2, first[-1].id)
    assert first + rest == [rows.secret(1), rows.secret(2), rows.secret(3)]


@pytest.mark.parametrize(
    ("version", "sealed_under", "is_resealed"),
    [(1, rows.DATA_KEY, True), (2, rows.DATA_KEY, False), (1, "dk_2", False)],
)
def test_a_secret_is_resealed_only_as_it_was_read(
    database: Database, version: int, sealed_under: str, *, is_resealed: bool
) -> None:
    add(database, 1)
    resealed = rows.secret(1, version=version, envelope=b"resealed")
    with database.writing() as work:
        assert work.secrets.reseal(resealed, sealed_under=sealed_under) is is_resealed
        envelope = all_sealed(work, "sec_0001").secrets[0].envelope
    assert (envelope == b"resealed") is is_resealed


@pytest.mark.parametrize("envelope", [b"", bytes(range(256)), bytes(999_999)])
def test_envelopes_are_kept_byte_for_byte(database: Database, envelope: bytes) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret(1, envelope=envelope))
        work.commit()
    with database.reading() as repository:
        assert all_sealed(repository, "sec_0001").secrets[0].envelope == envelope


@pytest.mark.parametrize(("max_bytes", "fits"), [(18, True), (17, False)])
def test_secrets_are_read_only_if_they_are_not_too_large_together(
    database: Database, max_bytes: int, *, fits: bool
) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret(1, envelope=bytes(10)))
        work.secrets.add(rows.secret(2, envelope=bytes(8)))
        work.secrets.add(rows.secret(3, envelope=bytes(100)))
        work.commit()
    with database.reading() as repository:
        sealed = repository.secrets.sealed(rows.OURS, ["sec_0001", "sec_0002"], max_bytes)
    assert (sealed is not None) is fits


@pytest.mark.parametrize("commas", [",", ",,"])
def test_a_name_that_breaks_a_column_apart_is_damage(database: Database, commas: str) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret(1, name=f"NAME{commas}"))
        with pytest.raises(TamperedRow):
            all_sealed(work, "sec_0001")


@pytest.mark.parametrize("ref", [SecretRef.by_id("sec_0001"), SecretRef.by_name("NAME_1")])
def test_a_secret_that_was_deleted_cannot_be_locked(database: Database, ref: SecretRef) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret())
        assert work.secrets.delete(rows.OURS, ref) == rows.secret().view()
        assert work.secrets.lock(rows.OURS, ref) is None
