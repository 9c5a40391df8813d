"""An account holds no more than it may, and no write counts its rows."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.errors import AccountLimitReached
from app.domain.operations.usage import Usage
from app.services.rows.limits import Limits
from tests.support.deployment import Clock, Deployment, Tenant, new_tenant, sweep
from tests.unit.app.services.steps import Steps, stepped

LIMITS: dict[str, Any] = {
    "STRONGROOM_MAX_SECRETS": "3",
    "STRONGROOM_MAX_INJECTIONS": "3",
    "STRONGROOM_MAX_API_KEYS": "4",
}


def mint(tenant: Tenant) -> object:
    return tenant.services.api_keys.mint(
        tenant.caller, name="a key", scopes=None, expires_at_ms=None, retry=None
    )


NUMBERS = itertools.count()


def create(tenant: Tenant) -> object:
    return tenant.create(f"NAME_{next(NUMBERS)}")


ADDING: dict[str, Callable[[Tenant], object]] = {
    "secrets": create,
    "injections": lambda tenant: tenant.inject("FIRST"),
    "API keys": mint,
}


@pytest.fixture
def bounded(deployment: Deployment) -> Tenant:
    """Holds one secret and one API key."""
    tenant = new_tenant(deployment.process(**LIMITS))
    tenant.create("FIRST")
    deployment.clock.advance(seconds=10)
    sweep(tenant.services)
    deployment.clock.advance(seconds=10)
    return tenant


def adds(tenant: Tenant, what: str) -> int:
    """The number of rows that could be added."""
    for number in range(10):
        try:
            ADDING[what](tenant)
        except AccountLimitReached:
            return number
    return 10


ROOM = {"secrets": 2, "injections": 3, "API keys": 3}


@pytest.mark.parametrize("what", ADDING)
def test_an_account_holds_no_more_than_it_may(bounded: Tenant, what: str) -> None:
    assert adds(bounded, what) == ROOM[what]
    with pytest.raises(AccountLimitReached, match=f"reached its limit of [34] {what}"):
        ADDING[what](bounded)


@pytest.mark.parametrize("what", ADDING)
def test_what_was_counted_is_not_counted_twice(
    deployment: Deployment, bounded: Tenant, what: str
) -> None:
    ADDING[what](bounded)
    for _ in range(3):
        deployment.clock.advance(seconds=10)
        sweep(bounded.services)
    assert adds(bounded, what) == ROOM[what] - 1


@pytest.mark.parametrize("what", ADDING)
def test_what_another_process_wrote_counts_from_the_next_count_on(
    deployment: Deployment, bounded: Tenant, what: str
) -> None:
    other = bounded.at(deployment.process(**LIMITS))
    for _ in range(ROOM[what]):
        ADDING[what](other)
    deployment.clock.advance(seconds=10)
    sweep(other.services)
    assert adds(bounded, what) == 0


def test_a_full_account_still_updates_deletes_and_revokes(bounded: Tenant) -> None:
    adds(bounded, "secrets")
    bounded.update("FIRST", "another value")
    assert bounded.value("FIRST") == "another value"
    bounded.delete("FIRST")
    assert adds(bounded, "secrets") == 1


def test_another_account_has_room_of_its_own(bounded: Tenant) -> None:
    adds(bounded, "secrets")
    assert adds(new_tenant(bounded.services), "secrets") == 3


def test_an_operator_is_not_bound(bounded: Tenant) -> None:
    adds(bounded, "API keys")
    bounded.services.api_keys.issue(bounded.caller.account_id, name="of the operator")


def test_a_refused_create_leaves_no_trace(bounded: Tenant) -> None:
    adds(bounded, "secrets")
    with pytest.raises(AccountLimitReached):
        bounded.create("ONE_MORE")
    assert "ONE_MORE" not in bounded.names()


@pytest.fixture
def small(deployment: Deployment) -> Tenant:
    return new_tenant(deployment.process(STRONGROOM_MAX_BYTES="9500"))


def test_an_account_takes_no_more_bytes_than_it_may(small: Tenant) -> None:
    small.create("A", "x" * 3000)
    with pytest.raises(AccountLimitReached, match="9500 bytes"):
        small.create("B", "x" * 8000)


def test_a_larger_value_is_refused_and_a_smaller_one_is_not(small: Tenant) -> None:
    small.create("A", "x" * 3000)
    with pytest.raises(AccountLimitReached, match="9500 bytes"):
        small.update("A", "x" * 16_000)
    small.update("A", "smaller")
    assert small.value("A") == "smaller"


def test_a_value_can_be_replaced_in_an_account_without_a_byte_left(small: Tenant) -> None:
    small.create("A", "x" * 8000)
    small.update("A", "y" * 8000)
    with pytest.raises(AccountLimitReached):
        small.create("B", "")


def test_the_bytes_that_a_count_finds_are_those_that_were_noted(
    deployment: Deployment, small: Tenant
) -> None:
    small.create("A", "x" * 3000)
    small.update("A", "x" * 300)
    small.inject("A")
    noted = small.services.secrets._limits._accounts[small.caller.account_id].usage
    deployment.clock.advance(seconds=10)
    sweep(small.services)
    with deployment.database.reading() as repository:
        counted = repository.usage.get(small.caller.account_id)
    assert counted is not None
    assert counted.usage.bytes - noted.bytes == 512 + len("a key")  # the operator's API key
    assert (counted.usage.secrets, counted.usage.injections) == (1, 1)


def test_no_write_counts_rows(deployment: Deployment) -> None:
    steps = Steps()
    tenant = new_tenant(deployment.process(database=stepped(deployment.database, steps)))
    create(tenant)
    tenant.inject(*tenant.names())
    mint(tenant)
    assert not {"usage.tally", "secrets.count"} & set(steps.names)


class Counts:
    """The stored usage of one account, as the limits read it."""

    def __init__(self) -> None:
        self.usage = self
        self.counted = None

    def get(self, _: str) -> None:
        return self.counted


def test_a_clock_that_was_set_back_leaves_nothing_that_counts_for_ever() -> None:
    clock = Clock()
    limits = Limits(Usage(secrets=5))
    repository: object = Counts()
    limits.note("acct", Usage(secrets=5), clock())
    clock.advance(days=-365)
    limits.require_room(repository, "acct", Usage(secrets=1), clock())  # type: ignore[arg-type]


def test_what_was_written_long_ago_counts_until_it_was_counted() -> None:
    clock = Clock()
    limits = Limits(Usage(secrets=99))
    repository: object = Counts()
    for _ in range(100):
        limits.note("acct", Usage(secrets=1), clock())
        clock.advance(seconds=30)
    with pytest.raises(AccountLimitReached):
        limits.require_room(repository, "acct", Usage(secrets=1), clock())  # type: ignore[arg-type]
