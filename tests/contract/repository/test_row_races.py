"""Two units of work of two processes want the same row: one waits, and finds what the other did.

Each race is run several times, by two threads that begin at once. The races about names, keys and
fences are in ``test_races.py``.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import TypeVar

import pytest

from app.domain.data_keys import DataKeyState
from app.domain.guarded import Mac
from app.domain.injections import InjectionState
from app.domain.secrets import SecretRef
from app.repository.base import Conflict, Database, UnitOfWork
from tests.contract.repository import rows

pytestmark = pytest.mark.usefixtures("no_deadlock")

T = TypeVar("T")
ROUNDS = 8
SECRET = SecretRef.by_id(rows.secret().id)
MANY = range(1, 31)
TOKEN = rows.gateway_token().unverified.id
OLD = rows.data_key(data_key_id="dk_2", state=DataKeyState.DECRYPT_ONLY)
OTHER_MAC = Mac(rows.MAC.key_id, rows.MAC.tag[:1] + b"o" * 32)


@pytest.fixture
def two(database: Database, elsewhere: Database) -> tuple[Database, Database]:
    """The same database, as two processes see it."""
    return database, elsewhere


def do(database: Database, work: Callable[[UnitOfWork], T]) -> T:
    with database.writing() as unit:
        done = work(unit)
        unit.commit()
    return done


def both(
    two: tuple[Database, Database],
    first: Callable[[UnitOfWork], T],
    second: Callable[[UnitOfWork], T],
) -> tuple[T, T]:
    """Do two units of work at once. Returns what they returned."""
    start = Barrier(2)

    def one(database: Database, work: Callable[[UnitOfWork], T]) -> T:
        start.wait(30)
        return do(database, work)

    with ThreadPoolExecutor(2) as pool:
        ends = pool.submit(one, two[0], first), pool.submit(one, two[1], second)
        return ends[0].result(60), ends[1].result(60)


def add_secrets(database: Database, *numbers: int) -> None:
    def add(work: UnitOfWork) -> None:
        for number in numbers:
            work.secrets.add(rows.secret(number))

    do(database, add)


def test_of_two_deletions_of_a_secret_one_deletes(two: tuple[Database, Database]) -> None:
    for _ in range(ROUNDS):
        add_secrets(two[0], 1)
        found = both(two, *[lambda work: work.secrets.delete(rows.OURS, SECRET)] * 2)
        assert sorted(each is not None for each in found) == [False, True]


def test_a_secret_that_is_deleted_meanwhile_is_not_there_to_be_updated(
    two: tuple[Database, Database],
) -> None:
    def update(work: UnitOfWork) -> bool:
        found = work.secrets.lock(rows.OURS, SECRET)
        if found is not None:
            work.secrets.replace_value(rows.secret(version=found.version + 1))
        return found is not None

    def delete(work: UnitOfWork) -> bool:
        return work.secrets.delete(rows.OURS, SECRET) is not None

    for _ in range(ROUNDS):
        add_secrets(two[0], 1)
        _, was_deleted = both(two, update, delete)
        assert was_deleted


def redeem(work: UnitOfWork) -> bool:
    redeemed = rows.injection(state=InjectionState.REDEEMED, redeemed_at_ms=5)
    return work.injections.replace_if_granted(
        replace(redeemed, mac=OTHER_MAC), rows.grant(), [rows.secret().sealed()]
    )


def revoke(work: UnitOfWork) -> bool:
    found = work.injections.get(rows.OURS, rows.injection().unverified.id)
    assert found is not None
    if found.unverified.state is not InjectionState.PENDING:
        return False
    revoked = rows.injection(state=InjectionState.REVOKED)
    work.injections.replace(replace(revoked, mac=OTHER_MAC))
    return True


@pytest.mark.parametrize("other", [redeem, revoke])
def test_of_a_redemption_and_another_end_of_an_injection_one_is_granted(
    two: tuple[Database, Database], other: Callable[[UnitOfWork], bool]
) -> None:
    add_secrets(two[0], 1)
    do(two[0], lambda work: work.injections.add(rows.injection()))
    for _ in range(ROUNDS):
        do(two[0], lambda work: work.injections.replace(rows.injection()))
        assert sorted(both(two, redeem, other)) == [False, True]


@pytest.mark.operator
def test_of_two_changes_of_an_account_none_is_lost(two: tuple[Database, Database]) -> None:
    def count(work: UnitOfWork) -> None:
        found = work.accounts.get(rows.OURS)
        assert found is not None
        changed = replace(found.unverified, created_at_ms=found.unverified.created_at_ms + 1)
        work.accounts.replace(replace(found, unverified=changed))

    for _ in range(ROUNDS):
        both(two, count, count)
    with two[0].reading() as repository:
        found = repository.accounts.get(rows.OURS)
    assert found is not None
    assert found.unverified.created_at_ms == 1 + 2 * ROUNDS


def test_of_two_that_replace_the_active_data_key_one_wins(two: tuple[Database, Database]) -> None:
    def replace_by(old: str, new: str) -> Callable[[UnitOfWork], bool]:
        def work_(work: UnitOfWork) -> bool:
            try:
                retired = rows.data_key(data_key_id=old, state=DataKeyState.DECRYPT_ONLY)
                work.data_keys.replace(retired)
                work.data_keys.add(rows.data_key(data_key_id=new), [])
            except Conflict:
                return False
            return True

        return work_

    active = rows.DATA_KEY
    for number in range(ROUNDS):
        names = f"dk_a{number}", f"dk_b{number}"
        won = both(two, *(replace_by(active, name) for name in names))
        assert sorted(won) == [False, True]
        active = names[won.index(True)]


@pytest.mark.operator
def test_wrappings_are_removed_one_by_one_and_all_together(two: tuple[Database, Database]) -> None:
    """A restored root key replaces wrappings, while another is retired: neither waits for ever."""
    names = [f"dk_{number:02}" for number in MANY]
    held = [rows.wrapping(data_key_id=name, key_ref="ref:2") for name in names]

    def add(work: UnitOfWork) -> None:
        for each in held:
            work.wrappings.add(each)

    def remove_backwards(work: UnitOfWork) -> int:
        return sum(work.wrappings.remove(each.unverified) for each in reversed(held))

    def make(work: UnitOfWork) -> None:
        for name in names:
            retired = rows.data_key(data_key_id=name, state=DataKeyState.DECRYPT_ONLY)
            work.data_keys.add(retired, [])

    do(two[0], make)
    for _ in range(ROUNDS):
        do(two[0], add)
        removed = both(two, lambda work: work.wrappings.remove_all("ref:2", 99), remove_backwards)
        assert sorted(removed) == [0, len(held)]


def test_of_two_runs_that_seal_anew_each_secret_is_sealed_by_one(
    two: tuple[Database, Database],
) -> None:
    add_secrets(two[0], *MANY)
    do(two[0], lambda work: work.data_keys.add(OLD, []))

    def reseal(under: str, to: str) -> Callable[[UnitOfWork], int]:
        def work_(work: UnitOfWork) -> int:
            batch = work.secrets.sealed_under(rows.OURS, under, 99, None)
            return sum(
                work.secrets.reseal(each._replace(data_key_id=to), sealed_under=under)
                for each in batch
            )

        return work_

    keys = [rows.DATA_KEY, OLD.unverified.id]
    for _ in range(ROUNDS):
        resealed = both(two, *[reseal(*keys)] * 2)
        assert sum(resealed) == len(MANY)
        keys.reverse()


def test_each_use_of_a_token_is_counted(two: tuple[Database, Database]) -> None:
    def use(work: UnitOfWork) -> int:
        found = work.gateway_tokens.get(rows.OURS, TOKEN)
        assert found is not None
        used = found.unverified.used + 1
        work.gateway_tokens.replace(rows.gateway_token(used=used))
        return used

    do(two[0], lambda work: work.gateway_tokens.add(rows.gateway_token()))
    for number in range(ROUNDS):
        assert sorted(both(two, use, use)) == [2 * number + 1, 2 * number + 2]


def test_of_two_updates_of_a_config_each_makes_a_version(two: tuple[Database, Database]) -> None:
    def update(work: UnitOfWork) -> int:
        found = work.gateway_configs.get(rows.OURS, rows.gateway_config().unverified.id)
        assert found is not None
        version = found.unverified.version + 1
        work.gateway_configs.replace(rows.gateway_config(version=version))
        return version

    do(two[0], lambda work: work.gateway_configs.add(rows.gateway_config()))
    for number in range(ROUNDS):
        assert sorted(both(two, update, update)) == [2 * number + 2, 2 * number + 3]


def test_uses_that_ended_are_deleted_while_others_write_their_ends(
    two: tuple[Database, Database],
) -> None:
    """Who deletes passes over what is locked; both go through the rows in opposite orders."""

    def add(work: UnitOfWork) -> None:
        for number in MANY:
            work.gateway_uses.add(rows.gateway_use(number))

    def end(work: UnitOfWork) -> int:
        ended = 0
        for number in reversed(MANY):
            use = rows.gateway_use(number)
            if work.gateway_uses.get(rows.OURS, use.unverified.id) is not None:
                work.gateway_uses.replace(use)
                ended += 1
        return ended

    def delete(work: UnitOfWork) -> int:
        return work.gateway_uses.delete_ended(rows.OURS, MANY[-1], 99)

    for _ in range(ROUNDS):
        do(two[0], add)
        both(two, end, delete)
        do(two[0], delete)


def test_old_values_are_deleted_while_others_seal_them_again(
    two: tuple[Database, Database],
) -> None:
    """Both go through the versions of a secret by number, so neither waits for ever."""
    do(two[0], lambda work: work.data_keys.add(OLD, []))
    do(two[0], lambda work: work.secrets.add(rows.secret(version=99)))

    def add(work: UnitOfWork) -> None:
        for number in reversed(MANY):
            work.secret_versions.add(rows.old_version(version=number))

    def reseal(work: UnitOfWork) -> int:
        batch = work.secret_versions.sealed_under(rows.OURS, rows.DATA_KEY, 99, None)
        return sum(
            work.secret_versions.reseal(
                replace(each.archived, data_key_id=OLD.unverified.id), before=each.archived
            )
            for each in batch
        )

    def delete(work: UnitOfWork) -> int:
        return work.secret_versions.delete_below(rows.OURS, rows.secret().id, 99)

    for _ in range(ROUNDS):
        do(two[0], add)
        resealed, deleted = both(two, reseal, delete)
        assert (resealed in {0, len(MANY)}, deleted) == (True, len(MANY))


def test_each_of_two_updates_archives_the_value_that_it_replaces(
    two: tuple[Database, Database],
) -> None:
    def update(work: UnitOfWork) -> bool:
        found = rows.lock(work, rows.secret().id)
        assert found.sealed is not None
        is_archived = work.secret_versions.add(rows.old_version(version=found.version))
        work.secrets.replace_value(rows.secret(version=found.version + 1))
        return is_archived

    def purge(work: UnitOfWork) -> bool:
        found = rows.lock(work, rows.secret().id)
        work.secret_versions.delete_below(rows.OURS, rows.secret().id, found.version)
        return True

    add_secrets(two[0], 1)
    for number in range(ROUNDS):
        assert both(two, update, update) == (True, True)
        both(two, update, purge)
        with two[0].reading() as repository:
            found = repository.secret_versions.history(rows.OURS, SECRET, 99) or []
        assert found[0].version == 1 + 3 * (number + 1)
        assert len({each.version for each in found}) == len(found)
