"""A damaged row of a list is shown as damaged, by table and id, and hides no other."""

from collections.abc import Callable

import pytest
from sqlalchemy import Integer, LargeBinary

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.damage import DamagedRow
from app.domain.errors import InjectionRefused, TamperedRow, Unauthenticated
from app.domain.injections import InjectionPage, IssuedInjection
from app.repository.sql.tables import metadata
from tests.support.databases import Rows
from tests.support.deployment import Tenant, new_tenant, with_key

NOTHING = bytes(32)
CONTENTS = "contents"
KEYS = {"account_id", "id"}


def columns_of(table: str) -> list[str]:
    return [column.name for column in metadata.tables[table].columns if column.name not in KEYS]


def damage(rows: Rows, table: str, column: str, row_id: str) -> None:
    """Make a column what no honest server wrote, of whatever type it is."""
    kind = metadata.tables[table].columns[column].type
    value: object = CONTENTS
    if isinstance(kind, LargeBinary):
        value = NOTHING
    elif isinstance(kind, Integer):
        value = 7
    rows.edit(table, {"id": row_id}, **{column: value})


@pytest.fixture
def injections(tenant: Tenant) -> list[IssuedInjection]:
    tenant.create("A", "value a")
    return [tenant.inject("A") for _ in range(3)]


def listed(tenant: Tenant, limit: int = 20) -> InjectionPage:
    return tenant.services.injections.list(tenant.caller, limit, None)


@pytest.mark.parametrize("column", columns_of("injections"))
def test_a_damaged_injection_is_listed_as_damaged_among_the_others(
    tenant: Tenant, injections: list[IssuedInjection], rows: Rows, column: str
) -> None:
    damage(rows, "injections", column, injections[1].id)
    page = listed(tenant)
    assert [view.id for view in page.injections] == [each.id for each in reversed(injections)]
    damaged = [isinstance(view, DamagedRow) for view in page.injections]
    assert damaged == [False, True, False]


@pytest.mark.parametrize("column", columns_of("injections"))
def test_a_damaged_injection_is_looked_up_as_damaged_and_never_redeemed(
    tenant: Tenant, injections: list[IssuedInjection], rows: Rows, column: str
) -> None:
    damage(rows, "injections", column, injections[1].id)
    found = tenant.services.injections.look_up(tenant.caller, injections[1].id)
    assert found == DamagedRow("injections", tenant.caller.account_id, injections[1].id)
    with pytest.raises(InjectionRefused):
        tenant.redeem(injections[1].token)


def test_text_that_is_no_utf_8_is_damage_like_any_other(
    tenant: Tenant, injections: list[IssuedInjection], rows: Rows
) -> None:
    rows._run("UPDATE injections SET secrets = CAST(X'5BFF5D' AS TEXT)", {"id": injections[1].id})
    damaged = [isinstance(view, DamagedRow) for view in listed(tenant).injections]
    assert damaged == [False, True, False]


@pytest.mark.parametrize("row_id", ["zzz", "inj_", "", "inj_\x1b[2J"], ids=repr)
def test_an_injection_whose_id_is_damaged_hides_no_other(
    tenant: Tenant, injections: list[IssuedInjection], rows: Rows, row_id: str
) -> None:
    rows.edit("injections", {"id": injections[1].id}, id=row_id)
    whole = [injections[2].id, injections[0].id]
    assert [view.id for view in listed(tenant).injections] == whole
    assert walked(tenant) == whole


def walked(tenant: Tenant) -> list[str | None]:
    """The ids of a list as a client reads it, one injection a page."""
    found: list[str | None] = []
    has_more = True
    while has_more:
        after = found[-1] if found else None
        page = tenant.services.injections.list(tenant.caller, 1, after)
        found += [view.id for view in page.injections]
        has_more = page.has_more
    return found


@pytest.mark.parametrize("column", columns_of("accounts"))
def test_a_damaged_account_is_listed_as_damaged_among_the_others(
    tenant: Tenant, rows: Rows, column: str
) -> None:
    other = new_tenant(tenant.services).caller.account_id
    damage(rows, "accounts", column, other)
    found = [*tenant.services.accounts.list()]
    assert found[1] == DamagedRow("accounts", None, other)
    assert isinstance(found[0], Account)


@pytest.mark.parametrize("column", columns_of("api_keys"))
def test_a_damaged_api_key_is_listed_as_damaged_among_the_others(
    tenant: Tenant, rows: Rows, column: str
) -> None:
    account_id = tenant.caller.account_id
    other = with_key(tenant.services, account_id).key.id
    damage(rows, "api_keys", column, other)
    found = [*tenant.services.api_keys.list(account_id)]
    assert found[1] == DamagedRow("api_keys", account_id, other)
    assert isinstance(found[0], ApiKey)


REFUSED: dict[str, Callable[[Tenant], object]] = {
    "accounts": lambda tenant: tenant.services.accounts.require(tenant.caller.account_id),
    "api_keys": lambda tenant: tenant.services.api_keys.revoke(
        tenant.caller.account_id, tenant.key.id
    ),
    "data_keys": lambda tenant: tenant.create("B"),
    "wrappings": lambda tenant: tenant.create("B"),
}


@pytest.mark.parametrize("table", REFUSED)
def test_a_refusal_names_table_and_id_of_the_row_and_nothing_else_of_it(
    tenant: Tenant, injections: list[IssuedInjection], rows: Rows, table: str
) -> None:
    key = next(name for name in ("data_key_id", "id") if name in metadata.tables[table].columns)
    own = {} if table == "accounts" else {"account_id": tenant.caller.account_id}
    row_id = rows.one(table, **own)[key]
    rows.edit(table, own, mac_key_id=CONTENTS)
    with pytest.raises(TamperedRow) as refused:
        REFUSED[table](tenant)
    assert f"The row {row_id} of {table}" in str(refused.value)
    assert CONTENTS not in str(refused.value)


@pytest.mark.parametrize("row_id", ["\x1b[2J", "x" * 65, "a b", "", None, b"bytes", 7], ids=repr)
def test_what_is_not_shaped_like_an_id_is_not_shown_as_one(row_id: object) -> None:
    assert str(DamagedRow.at("injections", row_id, row_id)) == "a row of injections"


@pytest.mark.parametrize("table", ["api_keys", "accounts"])
def test_whom_a_damaged_row_locks_out_learns_nothing_and_the_log_names_the_row(
    tenant: Tenant, rows: Rows, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    rows.edit(table, {}, name=CONTENTS)
    with pytest.raises(Unauthenticated) as refused:
        tenant.authenticate()
    row_id = tenant.key.id if table == "api_keys" else tenant.caller.account_id
    (logged,) = [record for record in caplog.records if record.msg == "row_damaged"]
    assert f"the row {row_id} of {table}" in logged.__dict__["detail"]
    assert CONTENTS not in logged.__dict__["detail"]
    assert row_id not in str(refused.value)


def test_a_redemption_refused_for_a_damaged_row_is_logged_with_the_row(
    tenant: Tenant,
    injections: list[IssuedInjection],
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows.edit("injections", {"id": injections[0].id}, secrets=CONTENTS)
    with pytest.raises(InjectionRefused):
        tenant.redeem(injections[0].token)
    (logged,) = [record for record in caplog.records if record.msg == "row_damaged"]
    assert f"the row {injections[0].id} of injections" in logged.__dict__["detail"]
