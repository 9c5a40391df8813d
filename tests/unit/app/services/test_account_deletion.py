"""A deleted account leaves no row, costs no other account anything, and can be deleted in parts."""

import pytest

from app.domain.errors import AccountInUse, AccountNotFound, StorageUnavailable
from app.repository.sql.access.account_rows import SqlAccountRows
from app.repository.sql.tables import metadata
from app.services import account_deletion
from app.services.account_deletion import Receipt
from app.services.container import Services
from tests.support.databases import Rows
from tests.support.deployment import Tenant, new_tenant

OWNED = [table.name for table in metadata.sorted_tables if "account_id" in table.c]
EVIDENCE = [name for name in OWNED if name.startswith("audit_")]


def fill(tenant: Tenant) -> None:
    """Give an account rows of many kinds."""
    for name in ("ONE", "TWO", "THREE"):
        tenant.create(name, f"value of {name}")
        tenant.update(name, "another value")
    tenant.redeem(tenant.inject("ONE").token)
    tenant.inject("TWO")


def delete(services: Services, tenant: Tenant) -> Receipt:
    return services.account_deletion.delete(services.accounts.require(tenant.caller.account_id))


def left_of(rows: Rows, tenant: Tenant) -> dict[str, int]:
    """The rows of an account by table, without those of the audit trail."""
    counts = {
        name: len(rows.all(name, account_id=tenant.caller.account_id))
        for name in OWNED
        if name not in EVIDENCE
    }
    counts["accounts"] = len(rows.all("accounts", id=tenant.caller.account_id))
    return {name: count for name, count in counts.items() if count}


def test_no_row_of_the_account_is_left(services: Services, tenant: Tenant, rows: Rows) -> None:
    fill(tenant)
    delete(services, tenant)
    assert left_of(rows, tenant) == {}


def test_the_rows_of_another_account_stay(services: Services, tenant: Tenant, rows: Rows) -> None:
    other = new_tenant(services)
    fill(other)
    before = left_of(rows, other)
    delete(services, tenant)
    assert left_of(rows, other) == before


def test_the_receipt_counts_what_was_there(services: Services, tenant: Tenant, rows: Rows) -> None:
    fill(tenant)
    there = left_of(rows, tenant)
    del there["accounts"]
    assert delete(services, tenant).rows == there


def test_more_rows_than_a_transaction_deletes_go_in_several(
    services: Services, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_deletion, "_ROWS", 2)
    fill(tenant)
    delete(services, tenant)
    assert left_of(rows, tenant) == {}


def test_a_deletion_that_was_interrupted_is_run_again(
    services: Services, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tenant)
    with monkeypatch.context() as broken:
        broken.setattr(account_deletion, "_ROWS", 2)
        broken.setattr(SqlAccountRows, "delete_account", lost)
        with pytest.raises(StorageUnavailable):
            delete(services, tenant)
    delete(services, tenant)
    assert left_of(rows, tenant) == {}


def lost(*_: object) -> bool:
    raise StorageUnavailable


def test_an_account_that_is_gone_is_not_found(services: Services, tenant: Tenant) -> None:
    delete(services, tenant)
    with pytest.raises(AccountNotFound):
        services.accounts.require(tenant.caller.account_id)


def test_rows_that_a_request_adds_meanwhile_go_too(
    services: Services, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try of the account's own row finds a secret of a request that was under way."""
    tried = []
    delete_account = SqlAccountRows.delete_account

    def after_a_request(self: SqlAccountRows, account_id: str) -> bool:
        tried.append(account_id)
        if len(tried) == 1:
            return False
        return delete_account(self, account_id)

    monkeypatch.setattr(SqlAccountRows, "delete_account", after_a_request)
    delete(services, tenant)
    assert left_of(rows, tenant) == {}


def test_the_own_row_stays_while_another_is_left(
    services: Services, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.create("ONE", "a value")
    monkeypatch.setattr(SqlAccountRows, "delete_some", lambda *_: {})
    with pytest.raises(AccountInUse):
        delete(services, tenant)
    assert left_of(rows, tenant)["accounts"] == 1


def test_the_audit_records_of_the_account_stay(
    services: Services, tenant: Tenant, rows: Rows
) -> None:
    fill(tenant)
    before = len(rows.all("audit_events", account_id=tenant.caller.account_id))
    delete(services, tenant)
    assert len(rows.all("audit_events", account_id=tenant.caller.account_id)) >= before > 0


def test_the_deletion_is_on_record(services: Services, tenant: Tenant, rows: Rows) -> None:
    delete(services, tenant)
    recorded = rows.all("audit_events", account_id="_system", action="account.deleted")
    assert [each["subjects"] for each in recorded] == [tenant.caller.account_id]
