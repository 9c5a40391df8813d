"""Cutting off the root key: what a running process grants no more, from when on."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.services.container import Services
from backends.errors import (
    CredentialsMissing,
    DecryptionError,
    KeyAccessDenied,
    KeyDisabled,
    KeyProviderError,
    KeyUnavailable,
    UnknownKey,
)
from backends.keyring.keyring import Keyring
from tests.support.deployment import Clock, Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Remote, Scripted

TTL = 300
CONFIRMED_S = 10
REFUSALS = [KeyAccessDenied("Denied."), KeyDisabled("Disabled."), UnknownKey("Gone.")]
NO_REFUSALS = [
    KeyUnavailable("The provider is down."),
    KeyUnavailable("The provider throttles.", throttled=True),
    CredentialsMissing("no usable AWS credentials were found."),
    KeyProviderError("Vault does not accept this request."),
]
GRANTING: dict[str, Callable[[Tenant], object]] = {
    "mint a key": lambda tenant: tenant.services.api_keys.mint(
        tenant.caller, name="new", scopes=None, expires_at_ms=None, retry=None
    ),
    "issue a key": lambda tenant: tenant.services.api_keys.issue(
        tenant.caller.account_id, name="new"
    ),
    "make an injection": lambda tenant: tenant.inject("A"),
    "make a data key": lambda tenant: new_tenant(tenant.services).create("A"),
}
NOT_GRANTING: dict[str, Callable[[Tenant], object]] = {
    "authenticate": lambda tenant: tenant.authenticate(),
    "list": lambda tenant: tenant.names(),
    "delete": lambda tenant: tenant.delete("A"),
    "revoke a key": lambda tenant: tenant.services.api_keys.revoke(
        tenant.caller.account_id, tenant.key.id
    ),
    "list keys": lambda tenant: tenant.services.api_keys.list(tenant.caller.account_id),
    "list injections": lambda tenant: tenant.services.injections.list(tenant.caller, 10, None),
}


@pytest.fixture
def life(deployment: Deployment) -> Clock:
    return deployment.clock


@pytest.fixture
def provider(deployment: Deployment) -> Remote:
    return Remote(f"local-fernet:{deployment.home / 'keys'}")


@pytest.fixture
def tenant(deployment: Deployment, provider: Remote, life: Clock) -> Tenant:
    """A process that has everything cached."""
    tenant = new_tenant(deployment.process(keyring=Keyring([provider])))
    tenant.create("A", "a value")
    provider.calls = 0
    return tenant


def look_after(services: Services) -> None:
    """Run the tasks of every few seconds."""
    for task in services.tasks._tasks:
        if task._name in {"root_key_proof", "data_key_cache"}:
            task._run()


def cut_off(tenant: Tenant, life: Clock, provider: Scripted, error: KeyProviderError) -> None:
    """The provider refuses, and the process finds out."""
    provider.down = error
    life.advance(seconds=TTL / 2)
    look_after(tenant.services)
    life.advance(seconds=CONFIRMED_S)
    look_after(tenant.services)


@pytest.mark.parametrize("grant", GRANTING)
def test_nothing_is_granted_when_the_proof_is_as_old_as_the_cache_lives(
    tenant: Tenant, provider: Remote, life: Clock, grant: str
) -> None:
    provider.down = KeyUnavailable("The provider is down.")
    life.advance(seconds=TTL)
    with pytest.raises(KeyUnavailable):
        GRANTING[grant](tenant)


@pytest.mark.parametrize("grant", ["mint a key", "issue a key", "make an injection"])
def test_an_outage_shorter_than_the_proof_lives_costs_nothing(
    tenant: Tenant, provider: Remote, life: Clock, grant: str
) -> None:
    provider.down = KeyUnavailable("The provider is down.")
    life.advance(seconds=TTL - 1)
    look_after(tenant.services)
    GRANTING[grant](tenant)


@pytest.mark.parametrize("action", NOT_GRANTING)
def test_what_grants_nothing_goes_on_without_a_proof(
    tenant: Tenant, provider: Remote, life: Clock, action: str
) -> None:
    cut_off(tenant, life, provider, KeyDisabled("Disabled."))
    life.advance(seconds=10 * TTL)
    NOT_GRANTING[action](tenant)


@pytest.mark.parametrize("grant", GRANTING)
def test_an_old_proof_is_renewed_by_whoever_needs_it(
    tenant: Tenant, life: Clock, grant: str
) -> None:
    life.advance(seconds=10 * TTL)
    GRANTING[grant](tenant)


def test_granting_costs_no_provider_call_while_the_proof_is_young(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    life.advance(seconds=TTL - 1)
    for grant in ("mint a key", "issue a key", "make an injection"):
        GRANTING[grant](tenant)
    assert provider.calls == 0


def test_a_process_that_serves_asks_once_in_half_of_the_proofs_life(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    for _ in range(60):
        life.advance(seconds=TTL / 60)
        look_after(tenant.services)
    assert provider.calls == 2


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_refusal_that_is_confirmed_ends_the_proof_at_once(
    tenant: Tenant, provider: Remote, life: Clock, error: KeyProviderError
) -> None:
    cut_off(tenant, life, provider, error)
    with pytest.raises(type(error)):
        tenant.inject("A")


def test_a_refusal_that_is_confirmed_wipes_the_cache_at_once(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    life.advance(seconds=TTL)
    tenant.value("A")  # so that its data key is young
    token = tenant.inject("A").token
    cut_off(tenant, life, provider, KeyDisabled("Disabled."))
    with pytest.raises(KeyDisabled):
        tenant.redeem(token)


def test_one_refusal_ends_nothing(tenant: Tenant, provider: Remote, life: Clock) -> None:
    token = tenant.inject("A").token
    provider.down = KeyDisabled("Disabled.")
    life.advance(seconds=TTL / 2)
    look_after(tenant.services)
    life.advance(seconds=CONFIRMED_S - 1)
    look_after(tenant.services)
    tenant.inject("A")
    assert tenant.redeem(token) == {"A": "a value"}


def test_a_refusal_that_a_success_followed_is_forgotten(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    provider.down = KeyDisabled("Disabled.")
    life.advance(seconds=TTL / 2)
    look_after(tenant.services)
    provider.down = None
    life.advance(seconds=CONFIRMED_S)
    look_after(tenant.services)
    provider.down = KeyDisabled("Disabled.")
    life.advance(seconds=TTL / 2)
    look_after(tenant.services)
    tenant.inject("A")


@pytest.mark.parametrize("error", NO_REFUSALS, ids=str)
def test_what_is_no_refusal_only_lets_the_proof_run_out(
    tenant: Tenant, provider: Remote, life: Clock, error: KeyProviderError
) -> None:
    provider.down = error
    for _ in range(10):
        life.advance(seconds=TTL / 10 - 1)
        look_after(tenant.services)
        tenant.inject("A")
    life.advance(seconds=10)
    with pytest.raises(type(error)):
        tenant.inject("A")


def test_a_refusal_beside_a_provider_out_of_reach_is_no_end(
    deployment: Deployment, provider: Remote, life: Clock
) -> None:
    other = Remote(deployment.key_file("second"))
    keyring = Keyring([provider, other], [other])
    deployment.process(keyring=keyring).rewrap.run(print)
    tenant = new_tenant(deployment.process(keyring=keyring))
    tenant.create("A")
    other.down = KeyUnavailable("The provider is down.")
    cut_off(tenant, life, provider, KeyDisabled("Disabled."))
    tenant.inject("A")


def test_one_listed_provider_that_opens_is_enough(
    deployment: Deployment, provider: Remote, life: Clock
) -> None:
    other = Remote(deployment.key_file("second"))
    keyring = Keyring([provider, other], [other])
    deployment.process(keyring=keyring).rewrap.run(print)
    tenant = new_tenant(deployment.process(keyring=keyring))
    tenant.create("A")
    cut_off(tenant, life, provider, KeyDisabled("Disabled."))
    life.advance(seconds=10 * TTL)
    tenant.inject("A")


def test_all_is_granted_again_when_the_root_key_is_back(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    cut_off(tenant, life, provider, KeyDisabled("Disabled."))
    provider.down = None
    assert tenant.value("A") == "a value"


def test_a_key_that_opens_to_something_else_is_no_proof(
    deployment: Deployment, tenant: Tenant, provider: Remote, life: Clock
) -> None:
    other = Scripted(deployment.key_file("other"))
    provider._masters = dict.fromkeys(provider._masters, next(iter(other._masters.values())))
    cut_off(tenant, life, provider, DecryptionError())
    with pytest.raises(KeyProviderError):
        tenant.inject("A")


def test_a_planted_wrapping_is_no_proof(
    deployment: Deployment, tenant: Tenant, life: Clock
) -> None:
    with deployment.rows() as rows:
        rows.edit("wrappings", {"account_id": "_system"}, blob=b"another")
    life.advance(seconds=TTL)
    with pytest.raises(KeyProviderError):
        tenant.inject("A")


def test_a_key_file_that_is_removed_ends_the_proof_of_a_running_process(
    deployment: Deployment, life: Clock
) -> None:
    tenant = new_tenant(deployment.process())
    tenant.create("A", "a value")
    token = tenant.inject("A").token
    (deployment.home / "keys").unlink()
    look_after(tenant.services)
    life.advance(seconds=CONFIRMED_S)
    look_after(tenant.services)
    for ask in (partial(tenant.inject, "A"), partial(tenant.redeem, token)):
        with pytest.raises(UnknownKey, match=r"STRONGROOM_KEYS \(entry 1\)"):
            ask()
    assert tenant.names() == ["A"]


def test_a_key_file_that_is_replaced_ends_the_proof_of_a_running_process(
    deployment: Deployment, life: Clock
) -> None:
    tenant = new_tenant(deployment.process())
    other = Path(deployment.key_file("other").partition(":")[2])
    other.replace(deployment.home / "keys")
    look_after(tenant.services)
    life.advance(seconds=CONFIRMED_S)
    look_after(tenant.services)
    with pytest.raises(UnknownKey):
        tenant.services.api_keys.issue(tenant.caller.account_id, name="new")


def test_the_end_of_a_proof_is_logged(
    tenant: Tenant, provider: Remote, life: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "strongroom.keys"):
        cut_off(tenant, life, provider, KeyDisabled("the KMS key is disabled."))
    told = [(record.msg, vars(record)["detail"]) for record in caplog.records]
    assert told == [
        ("root_key_not_proved", "the KMS key is disabled."),
        ("root_key_refused", "the KMS key is disabled."),
    ]


def readiness(services: Services) -> bool:
    return services.readiness.report().provider


def test_readiness_asks_a_provider_at_most_once_in_20_seconds(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    life.advance(seconds=20)
    assert [readiness(tenant.services) for _ in range(10)] == [True] * 10
    assert provider.calls == 1
    life.advance(seconds=19)
    assert readiness(tenant.services)
    assert provider.calls == 1


def test_readiness_tells_of_a_root_key_that_is_cut_off(
    tenant: Tenant, provider: Remote, life: Clock
) -> None:
    assert readiness(tenant.services)
    provider.down = KeyDisabled("Disabled.")
    life.advance(seconds=20)
    assert not readiness(tenant.services)


def test_a_process_that_never_opened_the_key_is_asked_for_it_once_in_3_seconds(
    deployment: Deployment, provider: Remote, life: Clock
) -> None:
    provider.down = KeyDisabled("Disabled.")
    services = deployment.process(keyring=Keyring([provider]))
    assert [readiness(services) for _ in range(10)] == [False] * 10
    assert provider.calls == 1
    provider.down = None
    life.advance(seconds=3)
    assert readiness(services)


def test_a_provider_is_refreshed_by_every_process_that_serves(
    tenant: Tenant, provider: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    refreshed: list[str] = []
    monkeypatch.setattr(provider, "refresh", lambda: refreshed.append("once"))
    look_after(tenant.services)
    assert refreshed == ["once"]


def test_a_process_that_starts_in_an_outage_asks_once_in_3_seconds_in_the_background(
    deployment: Deployment, provider: Remote
) -> None:
    """So its circuit breakers leave the requests their trials."""
    provider.down = KeyUnavailable("The provider is down.")
    services = deployment.process(keyring=Keyring([provider]))
    for _ in range(5):
        look_after(services)
        readiness(services)
    assert provider.calls == 1
