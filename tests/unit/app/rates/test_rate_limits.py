"""Limits of keys and accounts: who is refused, and for how long."""

import pytest

from app.domain.errors import RateLimited
from app.rates.counts import CountsInMemory
from app.rates.rate_limits import RateLimits
from config.rates import Rate
from tests.unit.app.rates.conftest import Seconds


def admits(limits: RateLimits, account: str = "acc_1", key: str = "key_1") -> bool:
    try:
        limits.admit(account, key)
    except RateLimited:
        return False
    return True


def wait_of(limits: RateLimits) -> int:
    """The seconds that a refused request is to wait."""
    with pytest.raises(RateLimited) as refused:
        limits.admit("acc_1", "key_1")
    return refused.value.retry_after


def test_without_limits_everything_is_admitted_and_nothing_counted(clock: Seconds) -> None:
    counts = CountsInMemory(clock=clock)
    limits = RateLimits(None, None, counts)
    assert all(admits(limits) for _ in range(1000))
    assert len(counts) == 0


def test_each_key_has_its_own_limit(clock: Seconds) -> None:
    limits = RateLimits(Rate(2, "minute"), None, CountsInMemory(clock=clock))
    assert [admits(limits, key=key) for key in ("a", "a", "a", "b")] == [True, True, False, True]


def test_the_keys_of_an_account_share_its_limit(clock: Seconds) -> None:
    limits = RateLimits(None, Rate(2, "minute"), CountsInMemory(clock=clock))
    assert [admits(limits, key=key) for key in ("a", "b", "c")] == [True, True, False]


def test_an_account_over_its_limit_costs_no_other_account(clock: Seconds) -> None:
    limits = RateLimits(Rate(2, "minute"), Rate(2, "minute"), CountsInMemory(clock=clock))
    assert sum(admits(limits, "acc_1") for _ in range(100)) == 2
    assert sum(admits(limits, "acc_2") for _ in range(100)) == 2


def test_a_key_over_its_limit_takes_nothing_from_its_account(clock: Seconds) -> None:
    limits = RateLimits(Rate(2, "minute"), Rate(3, "minute"), CountsInMemory(clock=clock))
    assert sum(admits(limits, key="a") for _ in range(100)) == 2
    assert admits(limits, key="b")


@pytest.mark.parametrize("rate", [Rate(1, "second"), Rate(3, "second"), Rate(100, "second")])
def test_a_limit_of_a_second_is_waited_for_one_second(rate: Rate, clock: Seconds) -> None:
    limits = RateLimits(rate, None, CountsInMemory(clock=clock))
    while admits(limits):
        pass
    assert wait_of(limits) in {1, 2}


@pytest.mark.parametrize("rate", [Rate(n, p) for n in (1, 2, 7, 600) for p in ("second", "minute")])
@pytest.mark.parametrize("started", [0.0, 0.4, 17.25, 59.9, 61.0, 119.5])
def test_a_client_that_waits_as_it_is_told_is_admitted(
    rate: Rate, started: float, clock: Seconds
) -> None:
    limits = RateLimits(rate, None, CountsInMemory(clock=clock))
    for pause in (started, 0.7, 0.0):
        while admits(limits):
            pass
        clock.advance(pause)
    while admits(limits):
        pass
    waited = wait_of(limits)
    assert 1 <= waited <= 60
    clock.advance(waited)
    assert admits(limits)


def test_the_message_names_the_limit_and_nobody() -> None:
    refused = RateLimited("API key", 600, "minute", 7)
    assert str(refused) == "This API key is over its limit of 600 requests a minute."
