"""While an outage of every provider begins, while a worker is replaced, and when it is over."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import pytest
import requests

from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.e2e.keys.site import OUTAGES, REFUSAL_SECONDS, Outage, Site, assert_refused_for_now
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

LIST_SECONDS = 1.5  # less than until a provider that hangs is given up
CALLERS = 36  # of each account, so more than the worker has threads


@pytest.fixture
def fresh_worker(site: Site) -> None:
    """It has asked providers for nothing but the system key."""
    site.server.reload()


@pytest.mark.usefixtures("fresh_worker")
def test_requests_that_wait_for_providers_leave_threads_to_other_requests(
    site: Site, account: Account, newcomer: Account
) -> None:
    callers = [account, newcomer] * CALLERS
    with site.all_down(OUTAGES["hanging"]), ThreadPoolExecutor(len(callers)) as pool:
        creating = [pool.submit(timed_create, caller) for caller in callers]
        listing = []
        while wait(creating, timeout=0.05).not_done:
            started = time.monotonic()
            assert account.call("GET", "/v1/secrets").ok
            listing.append(time.monotonic() - started)
        statuses, seconds = zip(*(each.result() for each in creating), strict=True)
    assert set(statuses) == {503}
    assert max(seconds) < REFUSAL_SECONDS
    assert max(listing) < LIST_SECONDS


def timed_create(caller: Account) -> tuple[int, float]:
    """The status of a create over a connection of its own, and its seconds."""
    with Account(caller.url, caller.id, caller.api_key_id, caller.token) as account:
        started = time.monotonic()
        return account.create("NEVER").status_code, time.monotonic() - started


@pytest.mark.usefixtures("fresh_worker")
def test_service_resumes_when_a_provider_returns(
    site: Site, account: Account, outage: Outage
) -> None:
    workers = site.server.workers()
    token = inject(account, "KEPT")["token"]
    with site.all_down(outage):
        for _ in range(10):  # enough for every circuit breaker
            assert redeem(account.url, token).status_code == 503
    wait_until(lambda: account.create("LATER").ok)
    assert redeem(account.url, token).json() == {"environment": {"KEPT": "a value"}}
    assert site.server.workers() == workers


def test_a_worker_that_begins_during_an_outage_refuses_everybody_for_now(
    site: Site, account: Account, outage: Outage
) -> None:
    wait_until(lambda: account.call("GET", "/v1/secrets").ok)
    token = inject(account, "KEPT")["token"]
    guarded = calls_by_api_key(account.url)
    with site.all_down(outage):
        replace_worker(site)
        assert_refused_for_now(lambda: redeem(account.url, token))
        for method, path in guarded:
            assert_refused_for_now(partial(account.call, method, path))


def calls_by_api_key(url: str) -> list[tuple[str, str]]:
    """Method and path of whatever takes an API key."""
    description = requests.get(f"{url}/openapi.json", timeout=30).json()
    return [
        (method.upper(), path)
        for path, described in description["paths"].items()
        for method in described.keys() & {"get", "post"}
        if path.startswith("/v1/") and path != "/v1/injections/redeem"
    ]


def test_a_worker_that_started_during_an_outage_serves_after_it(
    site: Site, account: Account, outage: Outage
) -> None:
    with site.all_down(outage):
        begun = replace_worker(site)
        assert account.call("GET", "/v1/secrets").status_code == 503
    wait_until(lambda: account.create("LATER").ok)
    assert account.values("KEPT", "LATER") == {"KEPT": "a value", "LATER": "a value"}
    assert site.server.workers() == {begun}


def replace_worker(site: Site) -> int:
    """Kill the worker; the process that gunicorn puts in its place, once it answers."""
    (killed,) = site.server.workers()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(site.server.workers() - {killed}) == 1)
    (begun,) = site.server.workers() - {killed}
    wait_until(lambda: answers(site.server.url))
    return begun


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=30).ok
    except requests.ConnectionError:
        return False


def test_a_service_may_start_while_only_an_escrow_provider_is_up(site: Site) -> None:
    with OUTAGES["refusing"](site.first):
        assert site.server.command("check", check=False).returncode == 0
