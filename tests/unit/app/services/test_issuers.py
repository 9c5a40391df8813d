"""A key lives only while every key above it does, on every process, for all that it made."""

from collections.abc import Callable

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import InjectionRefused, IssuerLimitReached, Unauthenticated
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, child_of, revoke, with_key
from tests.unit.app.services.steps import Steps, stepped

MINUTE_MS = 60_000
NONCE = "n" * 22


@pytest.fixture
def line(tenant: Tenant) -> list[Tenant]:
    """A key of the operator, its child, its grandchild and its great-grandchild."""
    tenant.create("A", "value a")
    line = [tenant]
    while len(line) < 4:
        line.append(child_of(line[-1]))
    return line


def is_refused(tenant: Tenant) -> bool:
    try:
        tenant.authenticate()
    except Unauthenticated:
        return True
    return False


def gives_nothing(tenant: Tenant, token: Token, nonce: str | None = None) -> bool:
    try:
        tenant.redeem(token, nonce)
    except InjectionRefused:
        return True
    return False


def test_a_key_names_all_keys_above_it_from_the_root_on(line: list[Tenant]) -> None:
    ids = [each.key.id for each in line]
    assert [each.caller.issuers for each in line] == [tuple(ids[:place]) for place in range(4)]


@pytest.mark.parametrize("revoked", range(4))
def test_a_revoked_key_takes_all_below_it_along_and_none_above(
    line: list[Tenant], revoked: int
) -> None:
    revoke(line[revoked])
    assert [is_refused(each) for each in line] == [place >= revoked for place in range(4)]


def test_its_other_children_go_on(tenant: Tenant) -> None:
    first, second = child_of(tenant), child_of(tenant)
    grandchild = child_of(second)
    revoke(first)
    assert [is_refused(each) for each in (first, second, grandchild)] == [True, False, False]


@pytest.mark.parametrize("revoked", range(4))
def test_an_injection_dies_with_any_key_above_it(line: list[Tenant], revoked: int) -> None:
    token = line[-1].inject("A").token
    revoke(line[revoked])
    assert gives_nothing(line[-1], token)


@pytest.mark.parametrize("revoked", range(4))
def test_a_nonce_gives_nothing_again_once_a_key_above_is_revoked(
    line: list[Tenant], revoked: int
) -> None:
    token = line[-1].inject("A").token
    assert line[-1].redeem(token, NONCE) == {"A": "value a"}
    revoke(line[revoked])
    assert gives_nothing(line[-1], token, NONCE)


def test_all_above_being_well_everything_works(line: list[Tenant]) -> None:
    assert [each.value("A") for each in line] == ["value a"] * 4


@pytest.mark.parametrize("revoked", range(4))
def test_a_key_that_is_revoked_between_opening_and_marking_is_seen(
    deployment: Deployment, line: list[Tenant], revoked: int
) -> None:
    token = line[-1].inject("A").token
    steps = Steps()
    racing = line[-1].at(deployment.process(database=stepped(deployment.database, steps)))
    steps.before("writing", lambda: revoke(line[revoked]))
    assert gives_nothing(racing, token)


@pytest.mark.parametrize("revoked", range(4))
def test_every_process_refuses_it_from_the_next_request_on(
    deployment: Deployment, line: list[Tenant], revoked: int
) -> None:
    processes = [line[-1].at(deployment.process()) for _ in range(3)]
    assert [is_refused(each) for each in processes] == [False] * 3
    revoke(line[revoked])
    assert [is_refused(each) for each in processes] == [True] * 3


def test_a_key_that_is_minted_while_its_issuer_is_revoked_is_born_dead(
    deployment: Deployment, tenant: Tenant
) -> None:
    steps = Steps()
    racing = tenant.at(deployment.process(database=stepped(deployment.database, steps)))
    racing.authenticate()
    steps.before("api_keys.add", lambda: None)
    steps.before("writing", lambda: revoke(tenant))
    key = racing.services.api_keys.mint(
        racing.caller, name="late", scopes=None, expires_at_ms=None, retry=None
    )
    with pytest.raises(Unauthenticated):
        tenant.services.authentication.authenticate(key.token)


def test_a_fourth_level_is_refused(line: list[Tenant]) -> None:
    with pytest.raises(IssuerLimitReached):
        child_of(line[-1])


@pytest.mark.parametrize("gone", range(3))
def test_a_key_whose_issuer_is_missing_is_dead(line: list[Tenant], rows: Rows, gone: int) -> None:
    token = line[-1].inject("A").token
    rows.remove("api_keys", id=line[gone].key.id)
    assert is_refused(line[-1])
    assert gives_nothing(line[-1], token)


EDITS: dict[str, Callable[[Rows, str], dict[str, object]]] = {
    "brought back": lambda _, __: {"revoked_at_ms": None},
    "no life": lambda _, __: {"revoked_at_ms": None, "expires_at_ms": None},
    "another row's": lambda rows, key_id: next(
        {name: row[name] for name in row if name != "id"}
        for row in rows.all("api_keys")
        if row["id"] != key_id and row["revoked_at_ms"] is None
    ),
    "damaged": lambda _, __: {"scopes": "nonsense"},
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("edited", range(3))
def test_an_edited_issuer_brings_nothing_back(
    line: list[Tenant], rows: Rows, edit: str, edited: int
) -> None:
    token = line[-1].inject("A").token
    revoke(line[edited])
    key_id = line[edited].key.id
    rows.edit("api_keys", {"id": key_id}, **EDITS[edit](rows, key_id))
    assert is_refused(line[-1])
    assert gives_nothing(line[-1], token)


@pytest.mark.parametrize("issuers", ["", "key_0000000000000000000000", "nonsense"])
def test_a_key_cannot_be_given_other_issuers(line: list[Tenant], rows: Rows, issuers: str) -> None:
    revoke(line[0])
    rows.edit("api_keys", {"id": line[1].key.id}, issuers=issuers)
    assert is_refused(line[1])


def test_a_child_of_a_key_that_expires_dies_with_it(deployment: Deployment, tenant: Tenant) -> None:
    expiry = deployment.clock() + MINUTE_MS
    brief = with_key(tenant.services, tenant.caller.account_id, expires_at_ms=expiry)
    grandchild = child_of(child_of(brief))
    deployment.clock.advance(seconds=60)
    assert is_refused(grandchild)


def test_a_key_of_the_operator_costs_no_further_read(
    deployment: Deployment, tenant: Tenant
) -> None:
    steps = Steps()
    process = tenant.at(deployment.process(database=stepped(deployment.database, steps)))
    process.authenticate()
    steps.names.clear()
    process.authenticate()
    assert steps.names == ["reading", "api_keys.get_with_account"]


def test_a_minted_key_costs_one_read_however_long_its_line(
    deployment: Deployment, line: list[Tenant]
) -> None:
    steps = Steps()
    process = line[-1].at(deployment.process(database=stepped(deployment.database, steps)))
    process.authenticate()
    steps.names.clear()
    process.authenticate()
    assert steps.names == ["reading", "api_keys.get_with_account", "reading", "api_keys.find"]
