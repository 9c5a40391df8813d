"""Data keys: made when first needed, replaced when old, one active for an account."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from app.domain.errors import StorageUnavailable
from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring
from tests.support.databases import Row, Rows
from tests.support.deployment import Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Scripted
from tests.unit.app.services.steps import BETWEEN_TRANSACTIONS, Steps, stepped

MAX_AGE_DAYS = 30


def data_keys(rows: Rows, tenant: Tenant) -> list[Row]:
    return rows.all("data_keys", account_id=tenant.caller.account_id)


def states(rows: Rows, tenant: Tenant) -> list[str]:
    return [row["state"] for row in data_keys(rows, tenant)]


def test_an_account_has_no_data_key_before_its_first_secret(tenant: Tenant, rows: Rows) -> None:
    assert data_keys(rows, tenant) == []


def test_many_secrets_are_sealed_under_one_data_key(tenant: Tenant, rows: Rows) -> None:
    for number in range(5):
        tenant.create(f"A{number}")
    assert states(rows, tenant) == ["active"]


def test_each_account_has_data_keys_of_its_own(tenant: Tenant, rows: Rows) -> None:
    other = new_tenant(tenant.services)
    for each in (tenant, other):
        each.create("A")
    assert len({row["data_key_id"] for row in rows.all("secrets")}) == 2


def test_a_data_key_is_replaced_when_it_is_old(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    tenant.create("A")
    deployment.clock.advance(days=MAX_AGE_DAYS, seconds=-0.001)
    tenant.create("B")
    assert states(rows, tenant) == ["active"]
    deployment.clock.advance(seconds=0.001)
    tenant.create("C")
    assert states(rows, tenant) == ["decrypt_only", "active"]
    assert tenant.values() == dict.fromkeys("ABC", "a value")


def test_the_setting_says_when_it_is_old(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    daily = tenant.at(deployment.process(STRONGROOM_DATA_KEY_MAX_AGE="1"))
    daily.create("A")
    deployment.clock.advance(days=1)
    daily.create("B")
    assert states(rows, tenant) == ["decrypt_only", "active"]


def test_reading_replaces_no_data_key(deployment: Deployment, tenant: Tenant, rows: Rows) -> None:
    tenant.create("A")
    deployment.clock.advance(days=365)
    assert tenant.value("A") == "a value"
    assert states(rows, tenant) == ["active"]


def test_an_old_data_key_stays_in_use_while_the_provider_is_down(
    deployment: Deployment, rows: Rows
) -> None:
    provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    tenant = new_tenant(deployment.process(keyring=Keyring([provider])))
    tenant.create("A")
    deployment.clock.advance(days=MAX_AGE_DAYS)
    tenant.value("A")  # so that it is in the cache
    provider.down = KeyUnavailable("The provider is down.")
    tenant.create("B")
    assert states(rows, tenant) == ["active"]
    provider.down = None
    deployment.clock.advance(seconds=60)
    tenant.create("C")
    assert states(rows, tenant) == ["decrypt_only", "active"]


def test_of_many_that_make_the_first_data_key_one_wins(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    processes = [tenant.at(deployment.process()) for _ in range(8)]
    barrier = Barrier(8)

    def create(number: int) -> None:
        barrier.wait(10)
        processes[number].create(f"A{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(8)))
    assert states(rows, tenant) == ["active"]
    assert len(tenant.at(deployment.process()).values()) == 8


@pytest.mark.parametrize("days", [0, MAX_AGE_DAYS])
def test_two_that_make_a_data_key_end_with_one_wherever_they_meet(
    deployment: Deployment, tenant: Tenant, rows: Rows, days: int
) -> None:
    if days:
        tenant.create("OLD")
        deployment.clock.advance(days=days)
    prepared = deployment.snapshot()
    steps = Steps()
    tenant.at(deployment.process(database=stepped(deployment.database, steps))).create("A")
    places = [at for at, name in enumerate(steps.names, start=1) if name in BETWEEN_TRANSACTIONS]
    for place in places:
        deployment.restore(prepared)
        counted = Steps()
        one = tenant.at(deployment.process(database=stepped(deployment.database, counted)))
        other = tenant.at(deployment.process())
        counted.at(place, partial(other.create, "B"))
        one.create("A")
        assert states(rows, tenant).count("active") == 1
        values = tenant.at(deployment.process()).values("A", "B")
        assert values == {"A": "a value", "B": "a value"}


def test_a_data_key_that_left_the_cache_is_opened_again(deployment: Deployment) -> None:
    provider = Scripted(f"local-fernet:{deployment.home / 'keys'}")
    keyring = Keyring([provider])
    services = deployment.process(keyring=keyring, STRONGROOM_DATA_KEY_CACHE_SIZE="1")
    tenants = [new_tenant(services) for _ in range(3)]
    for number, tenant in enumerate(tenants):
        tenant.create("A", f"value {number}")
    provider.calls = 0
    for _ in range(2):
        assert [tenant.value("A") for tenant in tenants] == ["value 0", "value 1", "value 2"]
    assert provider.calls == 6


def test_a_data_key_is_in_use_only_after_it_was_committed(
    deployment: Deployment, tenant: Tenant, rows: Rows
) -> None:
    """A process whose commit failed must not seal under a key that no row names."""
    steps = Steps()
    unlucky = tenant.at(deployment.process(database=stepped(deployment.database, steps)))

    def fail() -> None:
        raise StorageUnavailable

    steps.before("commit", fail)
    with pytest.raises(StorageUnavailable):
        unlucky.create("A")
    assert data_keys(rows, tenant) == []
    unlucky.create("A")
    assert tenant.at(deployment.process()).value("A") == "a value"


def test_the_system_key_never_ages(deployment: Deployment, tenant: Tenant, rows: Rows) -> None:
    before = rows.one("data_keys", account_id="_system")
    deployment.clock.advance(days=3650)
    new_tenant(deployment.process()).create("A")
    assert rows.one("data_keys", account_id="_system") == before


def test_two_processes_that_initialise_at_once_make_one_deployment(
    deployment: Deployment, rows: Rows
) -> None:
    for table in ("deployment", "data_keys", "wrappings"):
        rows.remove(table)
    processes = [deployment.process() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda services: services.setup.initialise(), processes))
    assert len(rows.all("deployment")) == len(rows.all("data_keys")) == 1
    account = processes[0].accounts.create("an account")
    assert [[*services.accounts.list()] for services in processes] == [[account]] * 4
