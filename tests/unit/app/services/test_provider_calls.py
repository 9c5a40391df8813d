"""The cost of an operation in provider calls: each is a round trip that somebody pays for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.secrets import SecretRef
from app.services.container import Services
from backends.errors import KeyAccessDenied, KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.support.labels import new_label
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import Steps, stepped


@pytest.fixture
def provider(deployment: Deployment) -> Scripted:
    return Scripted(f"local-fernet:{deployment.home / 'keys'}")


@pytest.fixture
def counted(deployment: Deployment, provider: Scripted) -> Tenant:
    """A tenant through a process that has everything it needs, its calls not counted."""
    tenant = new_tenant(deployment.process(keyring=Keyring([provider])))
    tenant.create("A", "a value")
    provider.calls = 0
    return tenant


@pytest.fixture
def cold(deployment: Deployment, provider: Scripted, counted: Tenant) -> Callable[[], Tenant]:
    """Processes that have opened the system key and no other."""

    def start() -> Tenant:
        tenant = counted.at(deployment.process(keyring=Keyring([provider])))
        tenant.authenticate()
        provider.calls = 0
        return tenant

    return start


def test_a_process_opens_the_system_key_with_one_call(
    deployment: Deployment, provider: Scripted, counted: Tenant
) -> None:
    started = counted.at(deployment.process(keyring=Keyring([provider])))
    for _ in range(3):
        started.authenticate()
    assert provider.calls == 1


def test_steady_writing_costs_no_call(provider: Scripted, counted: Tenant) -> None:
    for number in range(20):
        counted.create(f"B{number}")
        counted.update(f"B{number}", "another value")
        counted.delete(f"B{number}")
    assert provider.calls == 0


def test_reading_metadata_costs_no_call_even_in_a_new_process(
    provider: Scripted, cold: Callable[[], Tenant]
) -> None:
    tenant = cold()
    tenant.names()
    tenant.services.secrets.get(tenant.caller, SecretRef.by_name("A"))
    tenant.inject("A")
    tenant.delete("A")
    assert provider.calls == 0


def test_opening_fifty_secrets_in_a_new_process_costs_one_call(
    provider: Scripted, counted: Tenant, cold: Callable[[], Tenant]
) -> None:
    for number in range(49):
        counted.create(f"B{number}")
    tenant = cold()
    assert len(tenant.values()) == 50
    assert provider.calls == 1


def test_a_redemption_costs_one_call_for_each_data_key(
    deployment: Deployment, provider: Scripted, counted: Tenant, cold: Callable[[], Tenant]
) -> None:
    for age in range(2):
        deployment.clock.advance(days=31)
        counted.create(f"B{age}")
        counted.create(f"C{age}")
    assert len(cold().values()) == 5
    assert provider.calls == 3


def test_a_redemption_reads_what_it_needs_in_two_round_trips(
    deployment: Deployment, counted: Tenant
) -> None:
    for number in range(49):
        counted.create(f"B{number}")
    token = counted.inject(*counted.names()).token
    steps = Steps()
    tenant = counted.at(deployment.process(database=stepped(deployment.database, steps)))
    tenant.value("A")  # opens the system key
    steps.names.clear()
    assert len(tenant.redeem(token)) == 50
    grant, secrets = ["injections.get_grant"], ["secrets.sealed"]
    marking = ["writing", "injections.replace_if_granted"]
    marking += ["audit_events.take_place", "audit_events.add", "commit", "committed"]
    assert steps.names == ["reading", *grant, *secrets, *marking]


def test_redeeming_again_costs_no_call(provider: Scripted, cold: Callable[[], Tenant]) -> None:
    tenant = cold()
    tenant.value("A")
    provider.calls = 0
    tenant.value("A")
    assert provider.calls == 0


@pytest.mark.parametrize("refusal", [KeyUnavailable("down"), KeyAccessDenied("denied")])
def test_an_old_data_key_that_cannot_be_replaced_costs_one_call_a_minute(
    deployment: Deployment, provider: Scripted, counted: Tenant, refusal: KeyProviderError
) -> None:
    deployment.clock.advance(days=31)
    counted.value("A")  # so that it is in the cache
    provider.calls = 0
    provider.down = refusal
    for minute in range(3):
        for number in range(5):
            counted.create(f"B{minute}{number}")
        deployment.clock.advance(seconds=60)
    assert provider.calls == 3


def test_an_account_whose_data_key_cannot_be_replaced_keeps_no_other_from_a_new_one(
    deployment: Deployment, provider: Scripted, counted: Tenant
) -> None:
    other = new_tenant(counted.services)
    other.create("A")
    deployment.clock.advance(days=31)
    for each in (counted, other):
        each.value("A")  # so that its data key is in the cache
    provider.down = KeyAccessDenied("denied")
    counted.create("B")
    provider.down = None
    provider.calls = 0
    other.create("B")
    assert provider.calls > 0


def test_threads_that_need_one_data_key_at_once_share_one_call(
    provider: Scripted, cold: Callable[[], Tenant]
) -> None:
    tenant = cold()
    tokens = [tenant.inject("A").token for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(tenant.redeem, tokens))) == 8
    assert provider.calls == 1


WRITES: dict[str, Callable[[Tenant], object]] = {
    "create": lambda tenant: tenant.create("B"),
    "update": lambda tenant: tenant.update("A", "another value"),
    "delete": lambda tenant: tenant.delete("A"),
    "inject": lambda tenant: tenant.inject("A"),
    "redeem": lambda tenant: tenant.value("A"),
    "issue": lambda tenant: tenant.services.api_keys.issue(tenant.caller.account_id, name="new"),
    "mint": lambda tenant: tenant.services.api_keys.mint(
        tenant.caller, name="new", scopes=None, expires_at_ms=None, retry=None
    ),
    "revoke": lambda tenant: tenant.services.api_keys.revoke(
        tenant.caller.account_id, tenant.key.id
    ),
    "account": lambda tenant: tenant.services.accounts.create(new_label("new")),
    "capability": lambda tenant: tenant.services.accounts.set_devbox(
        tenant.caller.account_id, devbox=False
    ),
    "initialise": lambda tenant: tenant.services.setup.initialise(),
    "rewrap": lambda tenant: tenant.services.rewrap.run(print),
    "reencrypt": lambda tenant: tenant.services.reencrypt.run(print),
}


@pytest.mark.parametrize("write", WRITES)
def test_no_provider_is_asked_inside_a_transaction(
    deployment: Deployment, provider: Scripted, counted: Tenant, write: str
) -> None:
    steps = Steps()
    inside: list[bool] = []
    provider.before_call = lambda: inside.append(steps.is_writing)
    database = stepped(deployment.database, steps)
    services: Services = deployment.process(keyring=Keyring([provider]), database=database)
    WRITES[write](counted.at(services))
    assert inside
    assert not any(inside)
