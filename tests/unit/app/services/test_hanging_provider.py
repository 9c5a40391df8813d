"""A provider that hangs takes a request's time and a few threads, and nothing else."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from backends.calls.request_deadline import request_deadline
from backends.errors import KeyUnavailable
from backends.keyring.keyring import Keyring
from backends.provider import ProviderStatus
from tests.support.deployment import Clock, Deployment, Tenant, new_tenant
from tests.unit.app.services.providers import Remote

CONCURRENCY = 2
THREADS = 16
DEADLINE = 10


class Hanging(Remote):
    """Answers only when it is let go."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.go_on = threading.Event()
        self.go_on.set()
        self.asked = threading.Event()
        self.before_call = self._hang

    def status(self) -> ProviderStatus:
        self._hang()
        return super().status()

    def _hang(self) -> None:
        self.asked.set()
        assert self.go_on.wait(DEADLINE)


@pytest.fixture
def provider(deployment: Deployment) -> Iterator[Hanging]:
    provider = Hanging(f"local-fernet:{deployment.home / 'keys'}")
    yield provider
    provider.go_on.set()


@pytest.fixture
def life(deployment: Deployment) -> Clock:
    return deployment.clock


@pytest.fixture
def tenant(deployment: Deployment, provider: Hanging, life: Clock) -> Tenant:
    """A process that has opened the system key and no other, as the provider begins to hang."""
    made = new_tenant(deployment.process())
    made.create("A", "a value")
    keyring = Keyring([provider], concurrency=CONCURRENCY)
    tenant = made.at(deployment.process(keyring=keyring))
    tenant.authenticate()
    provider.go_on.clear()
    provider.asked.clear()
    return tenant


def test_a_request_is_given_up_at_its_deadline(tenant: Tenant) -> None:
    token = tenant.inject("A").token
    started = time.monotonic()
    with request_deadline(0.1), pytest.raises(KeyUnavailable):
        tenant.redeem(token)
    assert time.monotonic() - started < 2


def test_what_was_given_up_left_the_token_unused(tenant: Tenant, provider: Hanging) -> None:
    token = tenant.inject("A").token
    with request_deadline(0.1), pytest.raises(KeyUnavailable):
        tenant.redeem(token)
    provider.go_on.set()
    assert tenant.redeem(token) == {"A": "a value"}


def test_most_threads_are_refused_at_once_while_few_wait_for_one_data_key(
    tenant: Tenant, provider: Hanging
) -> None:
    tokens = [tenant.inject("A").token for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        redeemed = [pool.submit(tenant.redeem, token) for token in tokens]
        refused = refused_while_hanging(redeemed, THREADS - 2 * CONCURRENCY)
        provider.go_on.set()
    assert refused == {KeyUnavailable}


def test_most_threads_are_refused_at_once_while_few_wait_for_the_system_key(
    deployment: Deployment, tenant: Tenant, provider: Hanging
) -> None:
    keyring = Keyring([provider], concurrency=CONCURRENCY)
    cold = tenant.at(deployment.process(keyring=keyring))
    with ThreadPoolExecutor(THREADS) as pool:
        authenticated = [pool.submit(cold.authenticate) for _ in range(THREADS)]
        refused = refused_while_hanging(authenticated, THREADS - 2 * CONCURRENCY)
        provider.go_on.set()
    assert refused == {KeyUnavailable}


def test_whoever_asks_for_readiness_takes_one_thread(
    tenant: Tenant, provider: Hanging, life: Clock
) -> None:
    life.advance(seconds=20)
    with ThreadPoolExecutor(THREADS) as pool:
        reports = [pool.submit(tenant.services.readiness.report) for _ in range(THREADS)]
        told_while_hanging(reports, THREADS - 1)
        assert provider.asked.is_set()
        provider.go_on.set()


def test_a_process_that_opened_nothing_yet_is_not_ready_while_a_provider_hangs(
    deployment: Deployment, tenant: Tenant, provider: Hanging
) -> None:
    cold = deployment.process(keyring=Keyring([provider], concurrency=CONCURRENCY))
    with ThreadPoolExecutor(THREADS) as pool:
        reports = [pool.submit(cold.readiness.report) for _ in range(THREADS)]
        told = told_while_hanging(reports, THREADS - 1)
        provider.go_on.set()
    assert {report.result().ready for report in told} == {False}


def refused_while_hanging(futures: Sequence[Future[Any]], at_least: int) -> set[type[object]]:
    """The errors of those that ended before the provider was let go, when there are as many."""
    return {type(future.exception()) for future in told_while_hanging(futures, at_least)}


def told_while_hanging(futures: Sequence[Future[Any]], at_least: int) -> set[Future[Any]]:
    """Those that ended before the provider was let go, when there are as many."""
    done: set[Future[Any]] = set()
    deadline = time.monotonic() + 2
    while len(done) < at_least and time.monotonic() < deadline:
        done, _ = wait(futures, timeout=0.05, return_when=FIRST_COMPLETED)
    assert len(done) >= at_least
    return done
