"""A key provider that fails during a redemption leaves the token as it was."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import requests

from tests.e2e.injections.calls import redeem
from tests.e2e.injections.conftest import VaultServer
from tests.support.faulty_proxy import Fault, answer, drip, hang, reset, truncate

pytestmark = pytest.mark.slow

Outage = Callable[[VaultServer], AbstractContextManager[None]]

_DEADLINE_SECONDS = 30.0


def on_the_link(fault: Fault) -> Outage:
    return lambda deployment: deployment.link.failing(fault)


def refused(deployment: VaultServer) -> AbstractContextManager[None]:
    return deployment.link.refusing()


@contextmanager
def sealed(deployment: VaultServer) -> Iterator[None]:
    deployment.bao.seal()
    try:
        yield
    finally:
        deployment.bao.unseal()


OUTAGES: dict[str, Outage] = {
    "refused": refused,
    "sealed": sealed,
    "silent": on_the_link(hang),
    "reset once it has the request": on_the_link(reset),
    "slow": on_the_link(drip(0.5)),
    "denied": on_the_link(answer(403, {"errors": ["permission denied"]})),
    "throttled": on_the_link(answer(429, {"errors": []})),
    "failing": on_the_link(answer(500, {"errors": ["internal error"]})),
    **{f"cut off after {sent} bytes": on_the_link(truncate(sent)) for sent in (0, 1, 60, 250)},
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_a_token_is_unused_after_an_outage_of_the_provider(
    deployment: VaultServer, outage: Outage
) -> None:
    token = deployment.inject(deployment.new_caller())
    with outage(deployment):
        asked = time.monotonic()
        refusal = redeem(deployment.server.url, token)
        took = time.monotonic() - asked

    assert (refusal.status_code, refusal.json()["code"]) == (503, "keys_unavailable")
    assert 1 <= int(refusal.headers["Retry-After"]) <= 60
    assert took < 10
    redeemed = redeem_when_it_is_over(deployment, token)
    assert (redeemed.status_code, redeemed.json()) == (200, {"environment": {"KEPT": "a value"}})


def test_a_key_that_was_opened_outlives_the_provider(deployment: VaultServer) -> None:
    caller = deployment.new_caller()
    first, second = (deployment.inject(caller) for _ in range(2))
    assert redeem_when_it_is_over(deployment, first).ok

    with deployment.link.refusing():
        assert redeem(deployment.server.url, second).ok


def redeem_when_it_is_over(deployment: VaultServer, token: str) -> requests.Response:
    """The first answer but 503: a circuit breaker stays open for some seconds."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        redeemed = redeem(deployment.server.url, token)
        if redeemed.status_code != 503 or time.monotonic() > deadline:
            return redeemed
        time.sleep(0.1)
