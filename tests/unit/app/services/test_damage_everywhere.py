"""One damaged column of one row takes nothing from any other row, whatever table it is in.

A bit of each column is flipped in turn, as a broken disk does; what may be missing is missing, and
numbers are as large as they can be. Then everything that another tenant or the operator does is
done.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Integer, LargeBinary, Text

from app.domain.damage import DamagedRow
from app.repository.sql.tables import metadata
from tests.support.databases import Row, Rows
from tests.support.deployment import Deployment, Tenant, new_tenant, sweep
from tests.support.gateway.rows import add_gateway_rows

OF_ALL = {"deployment", "fences", "gateway_keys", "leases", "moves", "switches", "workers"}
OF_ALL |= {"audit_heads", "audit_cuts"}
OF_ALL |= {"audit_blocks", "audit_subjects"}  # which only the sealer and the verifier read
"""Tables whose rows are nobody's: what they say holds for all."""


def flipped(stored: bytes) -> bytes:
    return bytes([stored[0] ^ 0x80]) + stored[1:]


def kinds_of(column: Column[Any]) -> Iterator[str]:
    """The damages of a column."""
    if column.nullable:
        yield "missing"
    if isinstance(column.type, Text):
        yield from ("no UTF-8", "controls")
    elif not column.nullable or isinstance(column.type, LargeBinary):
        yield "flipped"
    if isinstance(column.type, Integer):
        yield "largest"


CASES = [
    (table.name, column.name, kind)
    for table in metadata.sorted_tables
    if table.name not in OF_ALL
    for column in table.columns
    for kind in kinds_of(column)
]


def damage(rows: Rows, table: str, column: str, kind: str, row: Row) -> None:
    """Damage a column of a row."""
    where = {name: row[name] for name in key_of(table)}
    stored = row[column]
    if kind == "no UTF-8":
        text = flipped((stored or "a text").encode()).hex()
        rows._run(f"UPDATE {table} SET \"{column}\" = CAST(X'{text}' AS TEXT)", where)
        return
    damaged: dict[str, Callable[[], object]] = {
        "missing": lambda: None,
        "largest": lambda: 2**63 - 1,
        "controls": lambda: "\x1b[2J\0,\n",
        "flipped": lambda: stored ^ 1 if isinstance(stored, int) else flipped(stored or bytes(32)),
    }
    rows.edit(table, where, **{column: damaged[kind]()})


def key_of(table: str) -> list[str]:
    return [key.name for key in metadata.tables[table].primary_key.columns]


@pytest.fixture
def victim(tenant: Tenant) -> Tenant:
    """Has a row of its own in every table that is not of all."""
    tenant.create("A", "an old value")
    tenant.update("A", "value a")
    tenant.inject("A")
    sweep(tenant.services)
    add_gateway_rows(tenant.services, tenant.caller.account_id, tenant.caller.api_key_id)
    return tenant


@pytest.fixture
def bystander(victim: Tenant) -> Tenant:
    other = new_tenant(victim.services)
    other.create("B", "value b")
    other.inject("B")
    return other


def own_row(rows: Rows, table: str, account_id: str) -> Row:
    key = "id" if table == "accounts" else "account_id"
    found = rows.all(table, **{key: account_id})
    if not found:  # a stored response: no test has a client that repeats itself
        rows.plant(
            table,
            {
                "account_id": account_id,
                "api_key_id": "key",
                "request_id": "request",
                "digest": bytes(32),
                "data_key_id": "dk",
                "response": b"sealed",
                "expires_at_ms": 1,
            },
        )
        found = rows.all(table, **{key: account_id})
    return found[0]


@pytest.mark.parametrize(("table", "column", "kind"), CASES)
def test_damage_stays_alone(
    deployment: Deployment,
    victim: Tenant,
    bystander: Tenant,
    rows: Rows,
    table: str,
    column: str,
    kind: str,
) -> None:
    row = own_row(rows, table, victim.caller.account_id)
    damage(rows, table, column, kind, row)
    other = bystander.at(deployment.process())
    assert all_that_a_tenant_does(other) == {"B": "value b"}
    all_that_an_operator_does(other)


def all_that_a_tenant_does(tenant: Tenant) -> dict[str, str]:
    tenant.authenticate()
    page = tenant.services.injections.list(tenant.caller, 20, None)
    assert [view.id for view in page.injections if isinstance(view, DamagedRow)] == []
    assert tenant.names() == ["B"]
    tenant.update("B", "value b")
    tenant.create("C", "value c")
    tenant.delete("C")
    return tenant.values("B")


def all_that_an_operator_does(tenant: Tenant) -> None:
    services = tenant.services
    accounts = [*services.accounts.list()]
    assert tenant.caller.account_id in [account.id for account in accounts]
    for account in accounts:
        if account.id is not None:
            list(services.api_keys.list(account.id))
    services.keyring_status.report()
    services.rewrap.run(lambda _: None)
    services.reencrypt.run(lambda _: None, dry_run=True)
    sweep(services)
    services.readiness.report()


def test_every_table_is_damaged_or_of_all() -> None:
    damaged = {table for table, _, _ in CASES}
    assert damaged | OF_ALL >= {table.name for table in metadata.sorted_tables}
