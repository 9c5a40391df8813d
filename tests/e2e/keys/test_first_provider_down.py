"""The first provider is down for as long as the worker lives; an escrow provider can unwrap."""

from collections.abc import Iterator

import pytest

from tests.e2e.account import Account
from tests.e2e.keys.site import Outage, Site, assert_refused_for_now


@pytest.fixture(scope="module", autouse=True)
def first_down(site: Site, outage: Outage) -> Iterator[None]:
    """The worker has never reached the first provider."""
    with outage(site.first):
        site.server.reload()
        yield


def test_stored_values_are_handed_over(account: Account) -> None:
    assert account.values("KEPT") == {"KEPT": "a value"}


def test_an_updated_value_is_stored(account: Account) -> None:
    assert account.create("NEW", "written meanwhile").ok
    assert account.values("NEW") == {"NEW": "written meanwhile"}


def test_a_value_is_replaced(account: Account) -> None:
    assert account.call("POST", "/v1/secrets/KEPT", {"value": "written meanwhile"}).ok
    assert account.values("KEPT") == {"KEPT": "written meanwhile"}


def test_the_first_secret_of_an_account_is_refused_for_now(newcomer: Account) -> None:
    assert_refused_for_now(lambda: newcomer.create("FIRST"))
