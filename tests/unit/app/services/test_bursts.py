"""A burst of requests that meets cold keys is served, as long as the provider answers soon."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backends.keyring import bulkhead as waiting
from backends.keyring.keyring import Keyring
from tests.support.databases import Rows
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Remote

CONCURRENCY = 2
THREADS = 16
LATENCY_SECONDS = 0.02


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough of it for a machine that is busy with something else."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 10.0)


@pytest.fixture
def provider(deployment: Deployment) -> Remote:
    """Answers after 20 ms."""
    provider = Remote(f"local-fernet:{deployment.home / 'keys'}")

    def answer_later() -> None:
        threading.Event().wait(LATENCY_SECONDS)

    provider.before_call = answer_later
    return provider


@pytest.fixture
def tenants(deployment: Deployment, provider: Remote) -> list[Tenant]:
    """As many as there are threads, through a process that has opened no key yet."""
    services = deployment.process()
    made = [new_tenant(services) for _ in range(THREADS)]
    for tenant in made:
        tenant.create("A", "a value")
    cold = deployment.process(keyring=Keyring([provider], concurrency=CONCURRENCY))
    return [tenant.at(cold) for tenant in made]


def all_at_once(work: Callable[[Tenant], Any], tenants: list[Tenant]) -> list[Any]:
    start = threading.Barrier(THREADS)

    def run(tenant: Tenant) -> Any:
        start.wait(10)
        return work(tenant)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, tenants))


def test_a_burst_on_a_cold_process_is_served(tenants: list[Tenant]) -> None:
    callers = all_at_once(Tenant.authenticate, tenants)
    assert [each.account_id for each in callers] == [each.caller.account_id for each in tenants]


def test_a_burst_for_one_cold_data_key_is_served_by_one_provider_call(
    tenants: list[Tenant], provider: Remote
) -> None:
    tenant = tenants[0]
    tenant.authenticate()
    provider.calls = 0
    updated = all_at_once(lambda each: each.update("A", "another value"), [tenant] * THREADS)
    assert len(updated) == THREADS
    assert provider.calls == 1


def test_a_burst_for_the_cold_data_keys_of_many_accounts_is_served(
    tenants: list[Tenant],
) -> None:
    tenants[0].authenticate()
    written = all_at_once(lambda each: each.create("B"), tenants)
    assert [secret.name for secret in written] == ["B"] * THREADS


def test_a_burst_on_an_account_without_a_data_key_makes_one(
    tenants: list[Tenant], provider: Remote, rows: Rows
) -> None:
    newcomer = new_tenant(tenants[0].services)
    provider.calls = 0
    names = [f"SECRET_{number}" for number in range(THREADS)]
    all_at_once(lambda tenant: tenant.create(names.pop()), [newcomer] * THREADS)
    assert len(rows.all("data_keys", account_id=newcomer.caller.account_id)) == 1
    assert provider.calls == 2  # to make it, and to prove it
