"""Injections: made for all secrets or none, bounded in life, shown, and killed."""

import pytest

from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.errors import InjectionNotFound, InjectionRefused, InvalidRequest, SecretsMissing
from app.domain.idempotency import RetryKey
from app.domain.injections import (
    MAX_SECRETS,
    MAX_TTL_SECONDS,
    InjectionPage,
    InjectionState,
    InjectionStatus,
)
from tests.support.databases import Rows
from tests.support.deployment import ADDRESS, Deployment, Tenant, new_tenant, with_key


@pytest.fixture
def stocked(tenant: Tenant) -> Tenant:
    tenant.create("A", "value a")
    tenant.create("B", "value b")
    return tenant


def inject(tenant: Tenant, secrets: dict[str, str], ttl_seconds: int = 300) -> str:
    return tenant.services.injections.create(tenant.caller, secrets, ttl_seconds, None).id


def ids_of(page: InjectionPage) -> list[str | None]:
    return [each.id for each in page.injections]


def status(tenant: Tenant, injection_id: str) -> InjectionStatus:
    return tenant.services.injections.get(tenant.caller, injection_id).status


def test_a_secret_may_stand_under_several_variables(stocked: Tenant) -> None:
    issued = stocked.services.injections.create(
        stocked.caller, {"ONE": "A", "TWO": "A", "THREE": "B"}, 300, None
    )
    expected = {"ONE": "value a", "TWO": "value a", "THREE": "value b"}
    assert stocked.redeem(issued.token) == expected


def test_a_secret_may_be_named_by_its_id(stocked: Tenant) -> None:
    secret = stocked.create("C", "value c")
    issued = stocked.services.injections.create(stocked.caller, {"VAR": secret.id}, 300, None)
    assert stocked.redeem(issued.token) == {"VAR": "value c"}


def test_every_missing_secret_is_named_and_none_is_taken(stocked: Tenant, rows: Rows) -> None:
    with pytest.raises(SecretsMissing) as refused:
        inject(stocked, {"ONE": "A", "TWO": "NONE", "THREE": "NEITHER"})
    assert refused.value.names == ("NEITHER", "NONE")
    assert rows.all("injections") == []


def test_a_secret_of_another_account_is_missing(stocked: Tenant) -> None:
    other = new_tenant(stocked.services)
    foreign = other.create("FOREIGN")
    with pytest.raises(SecretsMissing) as refused:
        inject(stocked, {"ONE": "FOREIGN", "TWO": foreign.id})
    assert set(refused.value.names) == {"FOREIGN", foreign.id}


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {f"V{number}": "A" for number in range(MAX_SECRETS + 1)},
        {"": "A"},
        {"1A": "A"},
        {"A-B": "A"},
        {"A\n": "A"},
        {"A=B": "A"},
        {"A": ""},
        {"A": "a name"},
        {"A": "inj_0000000000000000000000"[:-1] + "\n"},
    ],
    ids=str,
)
def test_a_map_that_breaks_a_rule_is_refused(stocked: Tenant, secrets: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        inject(stocked, secrets)


def test_a_map_of_more_than_32_kib_as_stored_is_refused(stocked: Tenant) -> None:
    name = "N" * 255
    stocked.create(name)
    with pytest.raises(InvalidRequest, match=r"secrets must take at most 32768 bytes"):
        inject(stocked, {f"V{number:0254}": name for number in range(100)})


def test_a_map_of_nearly_32_kib_as_stored_is_handed_over(stocked: Tenant) -> None:
    secrets = {f"V{number:080}": "A" for number in range(MAX_SECRETS)}
    issued = stocked.services.injections.create(stocked.caller, secrets, 300, None)
    assert len(stocked.redeem(issued.token)) == MAX_SECRETS


@pytest.mark.parametrize("ttl_seconds", [-1, 0, MAX_TTL_SECONDS + 1])
def test_a_life_that_breaks_a_rule_is_refused(stocked: Tenant, ttl_seconds: int) -> None:
    with pytest.raises(InvalidRequest):
        inject(stocked, {"A": "A"}, ttl_seconds)


def test_as_many_secrets_as_are_allowed_are_handed_over(stocked: Tenant) -> None:
    secrets = {f"V{number}": "A" for number in range(MAX_SECRETS)}
    issued = stocked.services.injections.create(stocked.caller, secrets, 300, None)
    assert stocked.redeem(issued.token) == dict.fromkeys(secrets, "value a")


def test_a_token_never_outlives_the_key_that_made_it(
    deployment: Deployment, stocked: Tenant
) -> None:
    expiry = deployment.clock() + 60_000
    brief = with_key(stocked.services, stocked.caller.account_id, expires_at_ms=expiry)
    assert brief.inject("A").expires_at_ms == expiry


def test_a_pending_injection_shows_what_it_holds(deployment: Deployment, stocked: Tenant) -> None:
    issued = stocked.inject("A", "B")
    view = stocked.services.injections.get(stocked.caller, issued.id)
    assert view.status is InjectionStatus.PENDING
    assert [each.secret_name for each in view.injection.secrets] == ["A", "B"]
    assert view.injection.expires_at_ms == deployment.clock() + 300_000


def test_a_redeemed_injection_shows_when_and_from_where(
    deployment: Deployment, stocked: Tenant
) -> None:
    issued = stocked.inject("A")
    deployment.clock.advance(seconds=5)
    stocked.redeem(issued.token)
    view = stocked.services.injections.get(stocked.caller, issued.id)
    assert view.status is InjectionStatus.REDEEMED
    assert view.injection.redeemed_at_ms == deployment.clock()
    assert view.injection.redeemed_from == ADDRESS


def test_an_injection_expires_by_itself(deployment: Deployment, stocked: Tenant) -> None:
    issued = stocked.inject("A")
    deployment.clock.advance(seconds=300)
    assert status(stocked, issued.id) is InjectionStatus.EXPIRED
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token)


def test_it_lives_until_its_last_moment(deployment: Deployment, stocked: Tenant) -> None:
    issued = stocked.inject("A")
    deployment.clock.advance(seconds=299.999)
    assert stocked.redeem(issued.token) == {"A": "value a"}


def test_a_revoked_injection_is_refused(stocked: Tenant) -> None:
    issued = stocked.inject("A")
    view = stocked.services.injections.revoke(stocked.caller, issued.id, None)
    assert view.status is InjectionStatus.REVOKED
    with pytest.raises(InjectionRefused):
        stocked.redeem(issued.token)


def test_revoking_a_redeemed_injection_keeps_it_redeemed(stocked: Tenant) -> None:
    issued = stocked.inject("A")
    stocked.redeem(issued.token)
    view = stocked.services.injections.revoke(stocked.caller, issued.id, None)
    assert view.injection.state is InjectionState.REDEEMED


def test_revoking_twice_is_no_fault(stocked: Tenant) -> None:
    issued = stocked.inject("A")
    for _ in range(2):
        view = stocked.services.injections.revoke(stocked.caller, issued.id, None)
        assert view.status is InjectionStatus.REVOKED


@pytest.mark.parametrize("injection_id", ["", "inj_", "A", "inj_0000000000000000000000"])
def test_an_injection_that_is_not_there_is_not_found(stocked: Tenant, injection_id: str) -> None:
    with pytest.raises(InjectionNotFound):
        stocked.services.injections.get(stocked.caller, injection_id)
    with pytest.raises(InjectionNotFound):
        stocked.services.injections.revoke(stocked.caller, injection_id, None)


def test_an_injection_of_another_account_is_not_found(stocked: Tenant) -> None:
    issued = stocked.inject("A")
    other = new_tenant(stocked.services)
    with pytest.raises(InjectionNotFound):
        other.services.injections.get(other.caller, issued.id)
    with pytest.raises(InjectionNotFound):
        other.services.injections.revoke(other.caller, issued.id, None)
    assert stocked.redeem(issued.token) == {"A": "value a"}


def test_the_list_is_newest_first_and_in_pages(stocked: Tenant) -> None:
    made = [stocked.inject("A").id for _ in range(5)]
    first = stocked.services.injections.list(stocked.caller, 3, None)
    listed = ids_of(first)
    rest = stocked.services.injections.list(stocked.caller, 3, made[2])
    listed += ids_of(rest)
    assert listed == made[::-1]
    assert (first.has_more, rest.has_more) == (True, False)


def test_making_one_again_with_its_request_id_gives_the_same_token(
    stocked: Tenant, rows: Rows
) -> None:
    retry = RetryKey("request-1", b"POST /v1/injections")
    tokens = [
        stocked.services.injections.create(stocked.caller, {"A": "A"}, 300, retry).token
        for _ in range(2)
    ]
    assert tokens[0] == tokens[1]
    assert len(rows.all("injections")) == 1


def test_only_a_keyed_hash_of_the_token_is_stored(stocked: Tenant, rows: Rows) -> None:
    token = stocked.inject("A").token.reveal()
    secret = token.rpartition("_")[2]
    assert not any(secret in repr(row) for row in rows.all("injections"))


def test_a_key_without_the_scope_hands_nothing_over(stocked: Tenant) -> None:
    scopes = ALL_SCOPES - {Scope.SECRETS_INJECT}
    limited = with_key(stocked.services, stocked.caller.account_id, scopes=scopes)
    with pytest.raises(InjectionRefused):
        limited.redeem(limited.inject("A").token)
