"""A rotated key keeps its id and its children; the old token stays good for an hour at most."""

import pytest

from app.domain.access.api_keys import MAX_OVERLAP_MS, Token
from app.domain.access.scopes import Scope
from app.domain.errors import ApiKeyEnded, ApiKeyNotFound, InvalidRequest, Unauthenticated
from app.domain.ids import API_KEY, new_id
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, child_of, new_tenant, revoke, with_key

HOUR = 60 * 60


def works(tenant: Tenant, token: Token) -> bool:
    try:
        return tenant.services.authentication.authenticate(token) == tenant.caller
    except Unauthenticated:
        return False


def rotate(tenant: Tenant, overlap_ms: int = MAX_OVERLAP_MS) -> Token:
    account_id, key_id = tenant.caller.account_id, tenant.key.id
    return tenant.services.api_keys.rotate(account_id, key_id, overlap_ms=overlap_ms).issued.token


def test_the_new_token_stands_for_the_same_key(tenant: Tenant) -> None:
    token = rotate(tenant)
    assert token != tenant.key.token
    assert works(tenant, token)


def test_the_old_token_is_good_for_an_hour(deployment: Deployment, tenant: Tenant) -> None:
    new = rotate(tenant)
    deployment.clock.advance(seconds=HOUR - 0.001)
    assert works(tenant, tenant.key.token)
    deployment.clock.advance(seconds=0.001)
    assert not works(tenant, tenant.key.token)
    assert works(tenant, new)


def test_the_old_token_is_not_good_again_when_the_clock_goes_back(
    deployment: Deployment, tenant: Tenant
) -> None:
    rotate(tenant)
    deployment.clock.advance(seconds=-HOUR)
    assert not works(tenant, tenant.key.token)


def test_without_an_overlap_the_old_token_is_refused_at_once(tenant: Tenant) -> None:
    rotate(tenant, 0)
    assert not works(tenant, tenant.key.token)


def test_the_old_token_is_not_good_for_longer_than_the_key(
    deployment: Deployment, tenant: Tenant
) -> None:
    expiry = deployment.clock() + 60_000
    brief = with_key(tenant.services, tenant.caller.account_id, expires_at_ms=expiry)
    rotated = brief.services.api_keys.rotate(brief.caller.account_id, brief.key.id)
    assert rotated.previous_until_ms == expiry
    deployment.clock.advance(seconds=60)
    assert not works(brief, brief.key.token)
    assert not works(brief, rotated.issued.token)


def test_of_two_rotations_within_the_hour_the_first_token_is_refused(tenant: Tenant) -> None:
    second = rotate(tenant)
    third = rotate(tenant)
    assert [works(tenant, each) for each in (tenant.key.token, second, third)] == [
        False,
        True,
        True,
    ]


def test_its_children_and_injections_go_on(tenant: Tenant) -> None:
    tenant.create("A", "value a")
    token, child = tenant.inject("A").token, child_of(tenant)
    rotate(tenant, 0)
    assert works(child, child.key.token)
    assert tenant.redeem(token) == {"A": "value a"}


def test_a_revoked_key_is_refused_under_both_tokens(tenant: Tenant) -> None:
    new = rotate(tenant)
    revoke(tenant)
    assert not works(tenant, tenant.key.token)
    assert not works(tenant, new)


def test_a_restricted_key_stays_one(tenant: Tenant) -> None:
    scopes = frozenset({Scope.SECRETS_READ})
    assert (
        rotate(with_key(tenant.services, tenant.caller.account_id, scopes=scopes)).reveal()[:3]
        == "rk_"
    )


@pytest.mark.parametrize("revoked", [0, 1], ids=["its issuer", "itself"])
def test_a_dead_key_is_not_rotated(tenant: Tenant, revoked: int) -> None:
    child = child_of(tenant)
    revoke((tenant, child)[revoked])
    with pytest.raises(ApiKeyEnded):
        rotate(child)


def test_an_expired_key_is_not_rotated(deployment: Deployment, tenant: Tenant) -> None:
    expiry = deployment.clock() + 60_000
    brief = with_key(tenant.services, tenant.caller.account_id, expires_at_ms=expiry)
    deployment.clock.advance(seconds=60)
    with pytest.raises(ApiKeyEnded):
        rotate(brief)


@pytest.mark.parametrize("overlap_ms", [-1, MAX_OVERLAP_MS + 1])
def test_an_overlap_of_more_than_an_hour_is_refused(tenant: Tenant, overlap_ms: int) -> None:
    with pytest.raises(InvalidRequest, match="overlap"):
        rotate(tenant, overlap_ms)


def test_a_key_of_another_account_is_not_found(tenant: Tenant) -> None:
    other = new_tenant(tenant.services)
    for key_id in (other.key.id, new_id(API_KEY)):
        with pytest.raises(ApiKeyNotFound):
            tenant.services.api_keys.rotate(tenant.caller.account_id, key_id)


@pytest.mark.parametrize("column", ["previous_digest", "previous_until_ms", "rotated_at_ms"])
def test_no_old_token_can_be_planted_or_prolonged(
    deployment: Deployment, tenant: Tenant, rows: Rows, column: str
) -> None:
    old = rows.one("api_keys", id=tenant.key.id)["token_digest"]
    rotate(tenant, 0 if column == "previous_digest" else 60_000)
    deployment.clock.advance(seconds=61)
    now = deployment.clock()
    planted = {
        "previous_digest": old,
        "previous_until_ms": now + 60_000,
        "rotated_at_ms": now,
    }
    rows.edit("api_keys", {"id": tenant.key.id}, **{column: planted[column]})
    assert not works(tenant, tenant.key.token)
