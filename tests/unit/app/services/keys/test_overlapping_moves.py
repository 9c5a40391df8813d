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
from app.services.keys import sweep as held_keys
from app.services.rotation import reencrypt, retire
from app.services.rotation.retire import StillNeeded
from backends.errors import KeyProviderError
from tests.support.deployment import Tenant, new_tenant
from tests.unit.app.services.keys.moving import VALUES, Move, counting, ignore, key_ref, seeded
from tests.unit.app.services.steps import BETWEEN_TRANSACTIONS

pytestmark = pytest.mark.slow

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
    """The faults after the other operation ran before this step."""
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


def create_first(services: Services, tenant: Tenant) -> dict[str, str]:
    """Make the first data key of an account; the values that the account has then."""
    tenant.at(services).create("FIRST", "a first value")
    return {"FIRST": "a first value"}


def create_later(services: Services, tenant: Tenant) -> dict[str, str]:
    """Replace a data key that has aged."""
    tenant.at(services).create("LATER", "a later value")
    return VALUES | {"LATER": "a later value"}


def rewrap_back(services: Services, tenant: Tenant) -> dict[str, str]:
    services.rewrap.run(ignore)
    return VALUES


Write = Callable[[Services, Tenant], dict[str, str]]


@pytest.mark.parametrize(
    ("write", "goes_on"), [(create_first, False), (create_later, True), (rewrap_back, False)]
)
def test_a_whole_retirement_during_a_write_on_the_old_setting_loses_nothing(
    move: Move, write: Write, goes_on: bool
) -> None:
    """The writer may have its wrapping by the retired key in hand already."""
    tenant = seeded(move.process(move.a), move.deployment)
    newcomer = new_tenant(move.process(move.a))
    rewrap(move.process(move.b, move.a), move)
    new_data_key_by_b_alone(move)
    move.deployment.clock.advance(days=31)
    prepared = move.deployment.snapshot()
    writer = newcomer if write is create_first else tenant
    whole, steps = counting(move, move.a, move.b)
    write(whole, writer)
    places = [at for at, name in enumerate(steps.names, 1) if name in BETWEEN_TRANSACTIONS]
    outcomes = set()
    for number in places:
        move.deployment.restore(prepared)
        outcomes.add(retired_during(move, number, write, writer, tenant))
    assert (True, goes_on) in outcomes


def new_data_key_by_b_alone(move: Move) -> None:
    """So that there is something for a rewrap on the old setting."""
    new_tenant(move.process(move.b)).create("A", "a value")


def retired_during(
    move: Move,
    number: int,
    write: Write,
    writer: Tenant,
    tenant: Tenant,
) -> tuple[bool, bool]:
    """Retire ``a`` before a step of the writer; whether it was, and whether the write was made."""
    expected = {tenant.caller.account_id: (tenant, VALUES)}
    services, steps = counting(move, move.a, move.b)
    other = move.process(move.b, move.a)
    retired: list[bool] = []
    steps.at(number, lambda: retired.append(ends_well(partial(retire_a, other, move))))
    written = False
    with suppress(KeyProviderError):
        expected[writer.caller.account_id] = writer, write(services, writer)
        written = True
    if retired == [True]:
        assert all("a" not in refs for refs in move.refs())
    listed = (move.b,) if retired == [True] else (move.b, move.a)
    assert holds(move.process(*listed), list(expected.values()))
    return retired == [True], written


def ends_well(sweep: Callable[[], object]) -> bool:
    try:
        sweep()
    except StillNeeded:
        return False
    return True


def holds(services: Services, expected: list[Change]) -> bool:
    """Return True if a new process returns all values as expected."""
    try:
        return all(tenant.at(services).values() == values for tenant, values in expected)
    except (KeyProviderError, DomainError):
        return False
