"""Every provider is down: only what needs a data key is refused, in time."""

from collections.abc import Callable, Iterator, Mapping

import pytest
import requests

from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.e2e.keys.site import Outage, Site, assert_refused_for_now

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def all_down(site: Site, outage: Outage) -> Iterator[None]:
    """The worker has opened the system key before."""
    site.server.reload()
    with site.all_down(outage):
        yield


NEED_A_KEY: Mapping[str, Callable[[Account], requests.Response]] = {
    "create": lambda account: account.create("NEVER"),
    "update": lambda account: account.call("POST", "/v1/secrets/KEPT", {"value": "never"}),
    "redeem": lambda account: redeem(account.url, inject(account, "KEPT")["token"]),
}


@pytest.mark.parametrize("call", NEED_A_KEY.values(), ids=NEED_A_KEY)
def test_operations_that_need_a_data_key_are_refused_with_503(
    account: Account, call: Callable[[Account], requests.Response]
) -> None:
    assert_refused_for_now(lambda: call(account))


def test_listing_works_during_an_outage(account: Account) -> None:
    assert account.names() == ["KEPT"]


def test_deleting_works_during_an_outage(account: Account) -> None:
    assert account.call("POST", "/v1/secrets/KEPT/delete").ok
    assert account.names() == []
