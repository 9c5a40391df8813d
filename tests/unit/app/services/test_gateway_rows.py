"""Gateway configs and tokens as services: races, edited rows, retention, and a restored backup."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Integer, LargeBinary

from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import Scope
from app.domain.damage import DamagedRow
from app.domain.errors import SecretNotFound, TamperedRow
from app.domain.gateways import refusals
from app.domain.gateways.configs import ConfigFilter, GatewayConfig
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.errors import GatewayConfigNameExists, GatewayTokenNotFound
from app.domain.gateways.terms import NewGatewayToken
from app.domain.gateways.tokens import IssuedGatewayToken, TokenFilter
from app.domain.secrets import SecretRef
from app.repository.sql.tables import metadata
from app.services.rows.damaged_rows import damaged_rows
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, new_tenant, sweep, with_key
from tests.support.gateway.stored import admit, opened

THREADS = 6
KEYS = {"account_id", "id"}
TABLES = ("gateway_configs", "gateway_tokens", "gateway_uses")
COLUMNS = [
    (table, column.name)
    for table in TABLES
    for column in metadata.tables[table].columns
    if column.name not in {*KEYS, "state"}  # a token that looks revoked grants nothing
]
BEARER = AuthMechanism(AuthType.BEARER)
EVERYTHING = ConfigFilter()


def create(tenant: Tenant, name: str = "example", **more: Any) -> GatewayConfig:
    draft = ConfigDraft(name=name, endpoint="https://api.example.com", auth=BEARER, **more)
    return tenant.services.gateway_configs.create(tenant.caller, draft, None)


def mint(tenant: Tenant, gateway: str = "example", name: str = "A") -> IssuedGatewayToken:
    wanted = NewGatewayToken(gateway=gateway, secret=name)
    return tenant.services.gateway_tokens.mint(tenant.caller, "a-box", wanted, None)


def point_to(tenant: Tenant, config_id: str, endpoint: str) -> GatewayConfig:
    draft = ConfigDraft(endpoint=endpoint)
    return tenant.services.gateway_configs.update(tenant.caller, config_id, draft, None)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What each of the calls returns or raises, all of them begun together."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - it is looked at
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return [*pool.map(run, calls)]


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    """A tenant with a secret, a config, a token and a use."""
    tenant.create("A", "value a")
    create(tenant)
    admit(tenant.services, mint(tenant).token)
    return tenant


def test_of_many_creates_with_one_name_one_is_done(tenant: Tenant) -> None:
    done = at_once(*[lambda: create(tenant)] * THREADS)
    kinds = Counter(map(type, done))
    assert kinds == {GatewayConfig: 1, GatewayConfigNameExists: THREADS - 1}


def test_of_many_renames_to_one_name_one_is_done(tenant: Tenant) -> None:
    configs = [create(tenant, f"config {number}") for number in range(THREADS)]

    def rename(config: GatewayConfig) -> Callable[[], object]:
        draft = ConfigDraft(name="wanted")
        return lambda: tenant.services.gateway_configs.update(tenant.caller, config.id, draft, None)

    done = at_once(*map(rename, configs))
    assert Counter(map(type, done)) == {GatewayConfig: 1, GatewayConfigNameExists: THREADS - 1}
    page = tenant.services.gateway_configs.list(
        tenant.caller, ConfigFilter(name="wanted"), 10, None, with_total=True
    )
    assert page.total_count == 1


def test_a_token_that_is_minted_while_its_config_is_pointed_elsewhere_goes_to_one_place(
    stocked: Tenant,
) -> None:
    config = mint(stocked).config
    elsewhere = "https://elsewhere.example"
    done = at_once(
        *[lambda: mint(stocked)] * (THREADS - 1),
        lambda: point_to(stocked, config.id, elsewhere),
    )
    minted = [each for each in done if isinstance(each, IssuedGatewayToken)]
    assert len(minted) == THREADS - 1
    for each in minted:
        if each.config.endpoint == elsewhere:
            assert admit(stocked.services, each.token).origin.text == elsewhere
        else:
            with pytest.raises(refusals.ConfigChanged):
                admit(stocked.services, each.token)


def test_a_config_that_is_pointed_back_takes_its_tokens_again(stocked: Tenant) -> None:
    minted = mint(stocked)
    point_to(stocked, minted.config.id, "https://elsewhere.example")
    with pytest.raises(refusals.ConfigChanged):
        admit(stocked.services, minted.token)
    point_to(stocked, minted.config.id, minted.config.endpoint)
    assert admit(stocked.services, minted.token).origin.text == minted.config.endpoint


def test_a_key_that_is_limited_to_names_uses_these_secrets_and_no_others(
    stocked: Tenant,
) -> None:
    stocked.create("B", "value b")
    use = frozenset({Scope.GATEWAYS_USE})
    account_id = stocked.caller.account_id
    names = NameLimit.of(["B"])
    ci = with_key(stocked.services, account_id, scopes=use, names=names)
    assert admit(ci.services, mint(ci, name="B").token).origin.host == "api.example.com"
    by_id = stocked.services.secrets.get(stocked.caller, SecretRef.by_name("A")).id
    for secret in ("A", by_id, "MISSING"):
        with pytest.raises(SecretNotFound):
            mint(ci, name=secret)
    other = mint(stocked)
    with pytest.raises(GatewayTokenNotFound):
        ci.services.gateway_tokens.get(ci.caller, other.id)
    with pytest.raises(GatewayTokenNotFound):
        ci.services.gateway_tokens.revoke(ci.caller, other.id, None)
    page = ci.services.gateway_tokens.list(ci.caller, TokenFilter(), 10, None)
    assert len(page.tokens) == 1
    assert ci.services.gateway_tokens.revoke_box(ci.caller, "a-box", None) == 1
    assert admit(stocked.services, other.token).token_id == other.id


def test_a_revoked_token_that_is_edited_back_is_found(stocked: Tenant, rows: Rows) -> None:
    minted = mint(stocked)
    stocked.services.gateway_tokens.revoke(stocked.caller, minted.id, None)
    rows.edit("gateway_tokens", {"id": minted.id}, state="live", revoked_at_ms=None)
    assert [each.id for each in _damaged(stocked)] == [minted.id]
    with pytest.raises(refusals.TokenRefused):
        admit(stocked.services, minted.token)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_an_edited_column_is_found(stocked: Tenant, rows: Rows, table: str, column: str) -> None:
    row = rows.one(table)
    rows.edit(table, {"id": row["id"]}, **{column: _other(table, column, row[column])})
    found = _damaged(stocked)
    assert [(each.table, each.id) for each in found] == [(table, row["id"])]


@pytest.mark.parametrize("table", TABLES)
def test_a_row_in_the_place_of_another_is_found(stocked: Tenant, rows: Rows, table: str) -> None:
    """Whoever edits the database swaps the ids of two rows, each with a MAC of the server."""
    create(stocked, "second")
    admit(stocked.services, mint(stocked, "second").token)
    first, second = (row["id"] for row in rows.all(table))
    rows.edit(table, {"id": first}, id="moving")
    rows.edit(table, {"id": second}, id=first)
    rows.edit(table, {"id": "moving"}, id=second)
    assert {each.id for each in _damaged(stocked)} == {first, second}


def test_a_config_under_the_name_of_another_is_not_minted_for(stocked: Tenant, rows: Rows) -> None:
    evil = create(stocked, "evil")
    rows.edit("gateway_configs", {"name": "example"}, name="moving")
    rows.edit("gateway_configs", {"id": evil.id}, name="example")
    with pytest.raises(TamperedRow):
        mint(stocked, "example")


def test_another_accounts_config_in_the_place_of_an_own_one_is_not_minted_for(
    stocked: Tenant, rows: Rows
) -> None:
    other = new_tenant(stocked.services)
    planted = create(other, "planted")
    rows.edit("gateway_configs", {"id": planted.id}, account_id=stocked.caller.account_id)
    with pytest.raises(TamperedRow):
        mint(stocked, "planted")


def test_a_damaged_config_is_listed_as_damaged_and_can_be_deleted(
    stocked: Tenant, rows: Rows
) -> None:
    damaged = rows.one("gateway_configs")["id"]
    rows.edit("gateway_configs", {"id": damaged}, endpoint="https://evil.example")
    kept = create(stocked, "second")
    configs = stocked.services.gateway_configs
    page = configs.list(stocked.caller, EVERYTHING, 2, None, with_total=False)
    assert [(each.id, isinstance(each, DamagedRow)) for each in page.configs] == [
        (kept.id, False),
        (damaged, True),
    ]
    assert isinstance(configs.get(stocked.caller, damaged), DamagedRow)
    with pytest.raises(TamperedRow):
        point_to(stocked, damaged, "https://api.example.com")
    configs.delete(stocked.caller, damaged, None)
    assert [row["id"] for row in rows.all("gateway_configs")] == [kept.id]


def test_a_damaged_token_is_listed_as_damaged_and_ends_nobody_elses(
    stocked: Tenant, rows: Rows
) -> None:
    damaged = rows.one("gateway_tokens")["id"]
    rows.edit("gateway_tokens", {"id": damaged}, expires_at_ms=2**60)
    kept = mint(stocked)
    tokens = stocked.services.gateway_tokens
    page = tokens.list(stocked.caller, TokenFilter(), 10, None)
    assert [isinstance(each, DamagedRow) for each in page.tokens] == [False, True]
    assert isinstance(tokens.get(stocked.caller, damaged), DamagedRow)
    assert tokens.revoke_box(stocked.caller, "a-box", None) == 1
    with pytest.raises(refusals.TokenRefused):
        admit(stocked.services, kept.token)


def test_tokens_and_uses_are_deleted_30_days_after_their_end(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    deployment.clock.advance(days=29.9)
    sweep(stocked.services)
    assert len(rows.all("gateway_uses")) == 1
    deployment.clock.advance(days=0.2)
    sweep(stocked.services)
    assert rows.all("gateway_uses") == []
    assert len(rows.all("gateway_tokens")) == 1  # it lived for a day
    deployment.clock.advance(days=1)
    sweep(stocked.services)
    assert rows.all("gateway_tokens") == []
    assert len(rows.all("gateway_configs")) == 1


def test_rows_of_gateways_count_against_the_bytes_of_the_account(
    deployment: Deployment, stocked: Tenant, rows: Rows
) -> None:
    sweep(stocked.services)
    before = rows.one("usage")["bytes"]
    create(stocked, "second", description="x")
    mint(stocked, "second")
    deployment.clock.advance(seconds=61)
    sweep(stocked.services)
    assert rows.one("usage")["bytes"] >= before + 2 * 512


def _damaged(tenant: Tenant) -> list[DamagedRow]:
    services = tenant.services
    database = services.gateway_keys._database
    return [*damaged_rows(database, opened(services), services.gateway_keys._clock())]


def _other(table: str, column: str, stored: object) -> object:
    """Another value that the column could hold, and under which the row has not ended."""
    defined = metadata.tables[table].columns[column]
    if column in {"auth_type", "pin"}:
        return {"auth_type": "basic", "pin": "first_use"}[column]
    if isinstance(defined.type, LargeBinary):
        return b"\x01" + bytes(32 if column == "mac" else 31)
    if isinstance(defined.type, Integer) or isinstance(stored, int):
        return 1 - stored if column == "scrub" and isinstance(stored, int) else 2**45
    if str(defined.type) == "BIGINT":
        return 7
    return "[]" if column in {"allow", "deny", "custom_headers"} and stored is None else "other"
