"""Whatever happens between two transactions of a sweep, no value is lost, and every key opens.

Another operation is done, whole, before the first transaction of a sweep, before its second, and
so on; calls of the providers count as places too.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from app.domain.errors import DomainError
from app.services.container import Services
from app.services.keyring import held_keys, reencrypt, retire
from app.services.keyring.retire import StillNeeded
from backends.errors import KeyProviderError
from tests.services.deployment import Tenant, new_tenant
from tests.services.keyring.moving import VALUES, Move, counting, ignore, key_ref, seeded
from tests.services.steps import BETWEEN_TRANSACTIONS

Sweep = Callable[[Services, Move], object]
Change = tuple[Tenant, dict[str, str]]
"""A tenant, and all the values that it has then."""
Other = Callable[[Move, Tenant], Change]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of rows takes several transactions."""
    monkeypatch.setattr(held_keys, "BATCH", 2)
    monkeypatch.setattr(reencrypt, "BATCH", 1)
    monkeypatch.setattr(retire, "BATCH", 2)


def rewrap(services: Services, _: Move) -> object:
    return services.rewrap.run(ignore)


def retire_a(services: Services, move: Move) -> object:
    return services.retire.run(key_ref(move.a))


def reencrypt_all(services: Services, _: Move) -> object:
    return services.reencrypt.run(ignore)


def first_data_key(move: Move, tenant: Tenant) -> Change:
    """A node on the old setting makes the first data key of an account."""
    newcomer = new_tenant(move.process(move.a, move.b))
    with suppress(KeyProviderError):
        newcomer.create("FIRST", "a first value")
        return newcomer, {"FIRST": "a first value"}
    return newcomer, {}


def next_data_key(move: Move, tenant: Tenant) -> Change:
    """A node on the old setting replaces an aged data key."""
    move.deployment.clock.advance(days=31)
    tenant.at(move.process(move.a, move.b)).create("LATER", "a later value")
    return tenant, VALUES | {"LATER": "a later value"}


def update(move: Move, tenant: Tenant) -> Change:
    tenant.at(move.process(move.b, move.a)).update("OLD", "an updated value")
    return tenant, VALUES | {"OLD": "an updated value"}


def delete(move: Move, tenant: Tenant) -> Change:
    tenant.at(move.process(move.b, move.a)).delete("OLD")
    return tenant, {"NEW": VALUES["NEW"]}


def another_rewrap(move: Move, tenant: Tenant) -> Change:
    rewrap(move.process(move.b, move.a), move)
    return tenant, VALUES


def another_re_encryption(move: Move, tenant: Tenant) -> Change:
    reencrypt_all(move.process(move.b, move.a), move)
    return tenant, VALUES


def another_retirement(move: Move, tenant: Tenant) -> Change:
    with suppress(StillNeeded):
        retire_a(move.process(move.b, move.a), move)
    return tenant, VALUES


OTHERS = [
    first_data_key,
    next_data_key,
    update,
    delete,
    another_rewrap,
    another_re_encryption,
    another_retirement,
]


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("sweep", [rewrap, retire_a, reencrypt_all])
def test_nothing_is_lost_to_what_happens_during_a_sweep(
    move: Move, sweep: Sweep, other: Other
) -> None:
    tenant = seeded(move.process(move.a), move.deployment)
    if sweep is retire_a:
        rewrap(move.process(move.b, move.a), move)
    prepared = move.deployment.snapshot()
    whole, steps = counting(move)
    sweep(whole, move)
    lost = []
    for number, name in enumerate(steps.names, start=1):
        if name in BETWEEN_TRANSACTIONS:
            move.deployment.restore(prepared)
            lost += losses(move, tenant, number, sweep, other)
    assert lost == []


def losses(
    move: Move, tenant: Tenant, number: int, sweep: Sweep, other: Other
) -> list[tuple[int, str]]:
    """What is not as it should be after the other operation was done before this step."""
    seen, changes = (tenant, VALUES), list[Change]()
    services, steps = counting(move)
    steps.at(number, lambda: changes.append(other(move, tenant)))
    retired = ends_well(partial(sweep, services, move)) and sweep is retire_a
    latest = {each.caller.account_id: (each, values) for each, values in [seen, *changes]}
    expected = list(latest.values())
    listed = (move.b,) if retired else (move.b, move.a)
    found = [] if holds(move.process(*listed), expected) else [(number, "after the sweep")]
    rewrap(move.process(move.b, move.a), move)
    if not retired:
        retire_a(move.process(move.b, move.a), move)
    if not holds(move.process(move.b), expected):
        found.append((number, "after the whole move"))
    return found


def ends_well(sweep: Callable[[], object]) -> bool:
    try:
        sweep()
    except StillNeeded:
        return False
    return True


def holds(services: Services, expected: list[Change]) -> bool:
    """Whether a new process gives all values as they are expected."""
    try:
        return all(tenant.at(services).values() == values for tenant, values in expected)
    except (KeyProviderError, DomainError):
        return False
