"""A refusal does the same work whether there is such a row or not, so its time tells nobody.

Work is counted by the functions that are called, Python's and C's, since clocks differ and rise.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from app.domain.access.api_keys import Token
from app.domain.errors import InjectionRefused, Unauthenticated
from app.domain.ids import API_KEY, INJECTION, new_id
from tests.support.deployment import Tenant, readdressed

Calls = Counter[str]

UNTIL_PREPARED = 8
"""The driver of PostgreSQL prepares a statement at its sixth use."""


def calls_of(refuse: Callable[[], object], error: type[Exception]) -> Calls:
    """The functions that a refusal calls, and how often, with full caches."""
    for _ in range(UNTIL_PREPARED):
        with pytest.raises(error):
            refuse()
    counted: Calls = Counter()

    def count(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            counted[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            counted[str(getattr(function, "__qualname__", function))] += 1

    sys.setprofile(count)
    try:
        refuse()
    except error:
        pass
    finally:
        sys.setprofile(None)
    return counted


def with_other_secret(token: Token, other: Token) -> Token:
    """A token of the same row that was never minted."""
    _, account, row, _ = token.reveal().split("_")
    return readdressed(other, account_id=f"acct_{account}", row_id=f"x_{row}")


def other_token(tenant: Tenant) -> Token:
    """A token of another secret, shaped as one of a key."""
    tenant.create("OTHER")
    return Token(tenant.inject("OTHER").token.reveal().replace("injt_", "ak_", 1))


@pytest.fixture
def refusal_of_key(tenant: Tenant) -> Callable[[Token], Calls]:
    authenticate = tenant.services.authentication.authenticate
    return lambda token: calls_of(lambda: authenticate(token), Unauthenticated)


@pytest.fixture
def unknown_key(tenant: Tenant, refusal_of_key: Callable[[Token], Calls]) -> Calls:
    """The calls that refusing an unknown id takes."""
    account = tenant.caller.account_id
    token = readdressed(tenant.key.token, account_id=account, row_id=new_id(API_KEY))
    return refusal_of_key(token)


def test_a_wrong_secret_of_a_key_costs_what_an_unknown_key_costs(
    tenant: Tenant, refusal_of_key: Callable[[Token], Calls], unknown_key: Calls
) -> None:
    guess = with_other_secret(tenant.key.token, other_token(tenant))
    assert refusal_of_key(guess) == unknown_key


def test_a_wrong_secret_of_a_revoked_key_costs_the_same(
    tenant: Tenant, refusal_of_key: Callable[[Token], Calls], unknown_key: Calls
) -> None:
    guess = with_other_secret(tenant.key.token, other_token(tenant))
    tenant.services.api_keys.revoke(tenant.caller.account_id, tenant.key.id)
    assert refusal_of_key(guess) == unknown_key


def test_an_unknown_account_costs_the_same(
    tenant: Tenant, refusal_of_key: Callable[[Token], Calls], unknown_key: Calls
) -> None:
    token = readdressed(tenant.key.token, account_id=new_id("acct"), row_id=tenant.key.id)
    assert refusal_of_key(token) == unknown_key


def test_no_mac_is_verified_before_the_secret_was_shown(
    tenant: Tenant, refusal_of_key: Callable[[Token], Calls]
) -> None:
    calls = refusal_of_key(with_other_secret(tenant.key.token, other_token(tenant)))
    assert [each for each in calls if "verify" in each] == []


def test_a_wrong_secret_of_an_injection_costs_what_an_unknown_one_costs(tenant: Tenant) -> None:
    tenant.create("A")
    token, other = tenant.inject("A").token, tenant.inject("A").token
    account = tenant.caller.account_id
    unknown = readdressed(token, account_id=account, row_id=new_id(INJECTION))
    known = with_other_secret(token, other)
    redeem = tenant.redeem
    assert calls_of(lambda: redeem(known), InjectionRefused) == calls_of(
        lambda: redeem(unknown), InjectionRefused
    )


def test_the_right_secret_is_still_taken(tenant: Tenant) -> None:
    assert tenant.authenticate().api_key_id == tenant.key.id
