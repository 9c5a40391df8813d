"""Re-encryption gives old values of secrets a new data key, too, and they still come back."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from app.domain.damage import DamagedRow
from app.domain.errors import StorageUnavailable
from app.domain.secrets import SecretRef
from app.services.keys.failure_reasons import FailureReason
from tests.support.databases import Row, Rows
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import Move, counting, ignore
from tests.unit.app.services.steps import BETWEEN_TRANSACTIONS

A = SecretRef.by_name("A")
VALUES = {1: "first", 2: "second", 3: "third", 4: "fourth"}


@pytest.fixture
def tenant(move: Move) -> Tenant:
    """The owner of a secret with four versions, two of them under a data key that was replaced."""
    tenant = new_tenant(move.process(move.a))
    tenant.create("A", VALUES[1])
    tenant.update("A", VALUES[2])
    move.deployment.clock.advance(days=31)
    tenant.update("A", VALUES[3])
    tenant.update("A", VALUES[4])
    return tenant


def data_keys_of(rows: Rows, tenant: Tenant) -> set[str]:
    return {row["id"] for row in rows.all("data_keys", account_id=tenant.caller.account_id)}


def old_values(tenant: Tenant) -> dict[int, str]:
    """The value of each old version, by rolling back to all of them."""
    versions = tenant.services.secret_versions
    listed = [each.version for each in versions.list(tenant.caller, A)[1:]]
    found = {}
    for version in sorted(listed):
        versions.roll_back(tenant.caller, A, version, None)
        found[version] = tenant.value("A")
    return found


def test_old_values_are_under_a_new_data_key_and_come_back(
    move: Move, tenant: Tenant, rows: Rows
) -> None:
    old = data_keys_of(rows, tenant)
    assert {row["data_key_id"] for row in rows.all("secret_versions")} == old
    progress = move.process(move.a).reencrypt.run(ignore)
    assert (progress.failed, data_keys_of(rows, tenant) & old) == (0, set())
    after = tenant.at(move.process(move.a))
    assert after.value("A") == VALUES[4]
    assert old_values(after) == {number: VALUES[number] for number in (1, 2, 3)}


def test_numbers_times_and_authors_of_old_values_stay(
    move: Move, tenant: Tenant, rows: Rows
) -> None:
    changing = {"data_key_id", "archived"}

    def shown() -> list[Row]:
        stored = sorted(rows.all("secret_versions"), key=lambda row: row["version"])
        return [{k: v for k, v in row.items() if k not in changing} for row in stored]

    before = shown()
    move.process(move.a).reencrypt.run(ignore)
    assert shown() == before


def test_a_damaged_old_value_stays_alone_with_its_data_key_until_it_is_deleted(
    move: Move, tenant: Tenant, rows: Rows
) -> None:
    damaged = rows.one("secret_versions", version=1)
    rows.edit("secret_versions", {"version": 1}, archived=damaged["archived"][::-1])
    services = move.process(move.a)
    progress = services.reencrypt.run(ignore)
    assert progress.reasons == {FailureReason.VALUE_UNREADABLE: 1}
    place = f"{damaged['secret_id']}-1"
    assert progress.damaged == (DamagedRow.at("secret_versions", tenant.caller.account_id, place),)
    kept = [
        row["version"] for row in rows.all("secret_versions", data_key_id=damaged["data_key_id"])
    ]
    assert kept == [1]
    services.secret_versions.delete(tenant.caller, A, 1, None)
    move.deployment.clock.advance(seconds=1)
    assert services.reencrypt.run(ignore).failed == 0
    assert damaged["data_key_id"] not in data_keys_of(rows, tenant)


def update(tenant: Tenant) -> None:
    tenant.update("A", "meanwhile")


def roll_back(tenant: Tenant) -> None:
    tenant.services.secret_versions.roll_back(tenant.caller, A, 1, None)


def purge(tenant: Tenant) -> None:
    tenant.services.secret_versions.purge(tenant.caller, A, None)


@pytest.mark.parametrize("change", [update, roll_back, purge])
def test_what_happens_between_its_transactions_leaves_no_old_data_key_and_no_unreadable_value(
    move: Move, tenant: Tenant, rows: Rows, change: Callable[[Tenant], None]
) -> None:
    prepared = move.deployment.snapshot()
    services, steps = counting(move)
    services.reencrypt.run(ignore)
    for number, name in enumerate(steps.names, start=1):
        if name not in BETWEEN_TRANSACTIONS:
            continue
        move.deployment.restore(prepared)
        old = data_keys_of(rows, tenant)
        services, counted = counting(move)
        other = tenant.at(move.process(move.b, move.a))

        def happens(other: Tenant = other) -> None:
            with suppress(StorageUnavailable):  # a rollback that is to be sent again
                change(other)

        counted.at(number, happens)
        assert services.reencrypt.run(ignore).failed == 0
        assert not old & data_keys_of(rows, tenant)
        after = tenant.at(move.process(move.b, move.a))
        assert old_values(after).items() <= VALUES.items() | {(5, "first")}
