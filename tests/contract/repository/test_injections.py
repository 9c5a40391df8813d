"""Injections: kept whole, listed newest first, granted by rows that belong together."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.data_keys import DataKeyState
from app.domain.errors import StorageUnavailable
from app.domain.guarded import Mac
from app.domain.injections import BoundSecret, InjectionState, bind
from app.domain.secrets import SecretRef
from app.repository.base import Database, UnitOfWork
from app.repository.collections.batches import Batch
from tests.contract.repository import rows


def add(database: Database, *numbers: int, account_id: str = rows.OURS) -> None:
    with database.writing() as work:
        for number in numbers:
            work.injections.add(rows.injection(number, account_id))
        work.commit()


def test_an_injection_is_kept_as_it_was_given(database: Database) -> None:
    injection = rows.injection(
        bound=bind([BoundSecret("A", "sec_1", 'quoted "name"'), BoundSecret("B", "sec_1", "é")]),
        state=InjectionState.REDEEMED,
        redeemed_at_ms=5,
        redeemed_from="2001:db8::1",
        nonce_digest=b"n" * 32,
    )
    with database.writing() as work:
        work.injections.add(injection)
        work.commit()
    with database.reading() as repository:
        assert repository.injections.get(rows.OURS, "inj_0001") == injection


def test_an_injection_comes_with_all_that_it_is_granted_by(database: Database) -> None:
    add(database, 1)
    with database.reading() as repository:
        grant = repository.injections.get_grant(rows.OURS, "inj_0001")
    assert grant == rows.grant()


def test_another_accounts_injection_is_not_there(database: Database) -> None:
    add(database, 1, account_id=rows.THEIRS)
    with database.reading() as repository:
        assert repository.injections.get(rows.OURS, "inj_0001") is None
        assert repository.injections.get_grant(rows.OURS, "inj_0001") is None
        assert repository.injections.page(rows.OURS, None, 10) == Batch([], None)


def test_injections_are_paged_newest_first(database: Database) -> None:
    add(database, 2, 1, 3)
    with database.reading() as repository:
        first = repository.injections.page(rows.OURS, None, 2)
        rest = repository.injections.page(rows.OURS, first.after, 2)
    assert first == Batch([rows.injection(3), rows.injection(2)], ("inj_0002",))
    assert rest == Batch([rows.injection(1)], None)


def test_a_replaced_injection_is_seen_elsewhere_at_once(
    database: Database, elsewhere: Database
) -> None:
    add(database, 1, 2)
    redeemed = rows.injection(state=InjectionState.REDEEMED, redeemed_at_ms=5)
    with database.writing() as work:
        work.injections.replace(redeemed)
        work.commit()
    with elsewhere.reading() as repository:
        assert repository.injections.get(rows.OURS, "inj_0001") == redeemed
        assert repository.injections.get(rows.OURS, "inj_0002") == rows.injection(2)


def seal_anew(work: UnitOfWork) -> None:
    work.data_keys.replace(rows.data_key(state=DataKeyState.DECRYPT_ONLY))
    work.data_keys.add(rows.data_key(data_key_id="dk_2"), [])
    work.secrets.reseal(rows.secret(1, data_key_id="dk_2"), sealed_under=rows.DATA_KEY)


def replace_one_and_delete_another(work: UnitOfWork) -> None:
    work.secrets.replace_value(rows.secret(1, version=2))
    work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0002"))


REDEEMED = rows.injection(state=InjectionState.REDEEMED, redeemed_at_ms=5)
OTHER_MAC = Mac("dk_system", b"\x01" + b"o" * 32)
CHANGED: dict[str, Callable[[UnitOfWork], object]] = {
    "injection": lambda work: work.injections.replace(replace(rows.injection(), mac=OTHER_MAC)),
    "key": lambda work: work.api_keys.replace(replace(rows.api_key(), mac=OTHER_MAC)),
    "account": lambda work: work.accounts.replace(replace(rows.account(), mac=OTHER_MAC)),
    "a secret is replaced": lambda work: work.secrets.replace_value(rows.secret(1, version=2)),
    "a secret is replaced at its version": lambda work: work.secrets.replace_value(
        rows.secret(1, envelope=b"another envelope")
    ),
    "a secret is replaced by a longer one": lambda work: work.secrets.replace_value(
        rows.secret(1, envelope=bytes(1000))
    ),
    "a secret is sealed anew": seal_anew,
    "a secret is deleted": lambda work: work.secrets.delete(rows.OURS, SecretRef.by_id("sec_0001")),
    "one replaced, one deleted": replace_one_and_delete_another,
}
USED = [rows.secret(1).sealed(), rows.secret(2).sealed()]


@pytest.fixture
def granted(database: Database) -> Database:
    add(database, 1)
    with database.writing() as work:
        work.secrets.add(rows.secret(1))
        work.secrets.add(rows.secret(2))
        work.commit()
    return database


def test_an_injection_whose_grant_still_stands_is_replaced(granted: Database) -> None:
    with granted.writing() as work:
        assert work.injections.replace_if_granted(REDEEMED, rows.grant(), USED)
        work.commit()
    with granted.reading() as repository:
        assert repository.injections.get(rows.OURS, "inj_0001") == REDEEMED


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(each, marks=pytest.mark.operator if each == "account" else ())
        for each in CHANGED
    ],
)
def test_an_injection_is_not_replaced_once_what_granted_it_has_changed(
    granted: Database, change: str
) -> None:
    with granted.writing() as work:
        CHANGED[change](work)
        before = work.injections.get(rows.OURS, "inj_0001")
        assert not work.injections.replace_if_granted(REDEEMED, rows.grant(), USED)
        assert work.injections.get(rows.OURS, "inj_0001") == before


def test_only_the_injection_of_this_account_is_replaced(granted: Database) -> None:
    add(granted, 1, account_id=rows.THEIRS)
    with granted.writing() as work:
        work.injections.replace_if_granted(REDEEMED, rows.grant(), USED)
        work.commit()
    with granted.reading() as repository:
        theirs = repository.injections.get(rows.THEIRS, "inj_0001")
    assert theirs == rows.injection(1, rows.THEIRS)


def test_an_injection_cannot_name_an_api_key_that_does_not_exist(database: Database) -> None:
    with database.writing() as work, pytest.raises(StorageUnavailable):
        work.injections.add(rows.injection(api_key_id="key_missing"))


def test_a_sweep_gives_the_injections_of_every_account_in_batches(database: Database) -> None:
    add(database, 1, 2)
    add(database, 1, account_id=rows.THEIRS)
    with database.reading() as repository:
        first = repository.injections.sweep(None, 2)
        rest = repository.injections.sweep(first.after, 2)
    assert first == Batch([rows.injection(1), rows.injection(2)], (rows.OURS, "inj_0002"))
    assert rest == Batch([rows.injection(1, rows.THEIRS)], None)
