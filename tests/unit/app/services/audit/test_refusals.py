"""Refused requests are counted in bounded memory, and recorded once a minute."""

import pytest

from app.domain.errors import StorageUnavailable
from app.services.audit.refusals import LIMIT, OTHER, Refusal, Refusals, block_of
from app.services.container import Services
from backends.local_fernet import LocalFernet
from tests.support.deployment import Tenant
from tests.unit.app.services.audit.trail_of import actions, details, records


def test_requests_of_one_network_are_counted_together() -> None:
    refusals = Refusals()
    for last in (1, 2, 255):
        refusals.count("secrets.create", "unauthenticated", f"192.0.2.{last}")
    refusals.count("secrets.create", "unauthenticated", "192.0.3.1")
    refusals.count("secrets.create", "scope_missing", "192.0.2.1")
    assert refusals.take() == {
        Refusal("secrets.create", "unauthenticated", "192.0.2.0/24"): 3,
        Refusal("secrets.create", "unauthenticated", "192.0.3.0/24"): 1,
        Refusal("secrets.create", "scope_missing", "192.0.2.0/24"): 1,
    }


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        (None, None),
    ],
)
def test_the_block_of_an_address_is_a_network(address: str | None, block: str | None) -> None:
    assert block_of(address) == block


def test_a_million_addresses_take_no_more_than_64_counts_and_one() -> None:
    refusals = Refusals()
    for number in range(100_000):
        refusals.count("a", "b", f"10.{number // 250 % 250}.{number % 250}.1")
    counts = refusals.take()
    assert len(counts) == LIMIT + 1
    assert counts.total() == 100_000
    assert counts[OTHER] == 100_000 - (counts.total() - counts[OTHER])


def test_what_was_taken_is_counted_anew() -> None:
    refusals = Refusals()
    refusals.count("a", "b", None)
    assert refusals.take().total() == 1
    assert refusals.take().total() == 0


def test_counts_that_could_not_be_recorded_are_added_to_the_next() -> None:
    refusals = Refusals()
    refusals.count("a", "b", None)
    taken = refusals.take()
    refusals.count("a", "b", None)
    refusals.put_back(taken)
    assert refusals.take() == {Refusal("a", "b", None): 2}


def audit(services: Services) -> None:
    """Do what a worker does when it starts, and each minute."""
    services.readiness.report()
    services.audit.upkeep.run()


def test_a_worker_without_the_system_key_asks_no_provider_for_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(LocalFernet, "unwrap", lambda *call: asked.append(call))
    services.audit.upkeep.run()
    assert asked == []


def test_each_count_is_a_record_of_the_operators_trail(services: Services) -> None:
    for _ in range(3):
        services.audit.upkeep.refusals.count("secrets.create", "unauthenticated", "192.0.2.1")
    audit(services)
    (refused,) = [each for each in records(services) if each.action == "refused"]
    assert (refused.actor, refused.address, refused.outcome) == (
        "unknown",
        "192.0.2.0/24",
        "refused",
    )
    assert details(refused) == {"action": "secrets.create", "cause": "unauthenticated", "count": 3}
    audit(services)
    assert actions(records(services)).count("refused") == 1


def test_a_worker_that_ends_records_what_it_counted(tenant: Tenant) -> None:
    services = tenant.services
    services.audit.upkeep.refusals.count("a", "b", None)
    services.audit.upkeep.end()
    assert actions(records(services)).count("refused") == 1


def test_counts_stay_while_the_database_is_down(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.audit.upkeep.refusals.count("a", "b", None)
    with monkeypatch.context() as down:
        database = services.api_keys._database

        def refuse() -> None:
            raise StorageUnavailable

        down.setattr(database, "writing", refuse)
        with pytest.raises(StorageUnavailable):
            audit(services)
    audit(services)
    assert actions(records(services)).count("refused") == 1
