"""A process is killed while agents stream: nothing passes without admission and credential."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateway.conftest import (
    CANARY,
    Gateway,
    gateway_environment,
    started_gateway,
)
from tests.e2e.gateway.streams import LAST, streaming
from tests.e2e.gateway.test_chain import call, refusal
from tests.support.certificates import Certificate
from tests.support.deployment import Tenant
from tests.support.gateway.recorder import Recorder
from tests.support.gateway.stored import Minted
from tests.support.nginx import Nginx, nginx
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def gateway(
    tmp_path: Path,
    api: Strongroom,
    sockets: Path,
    gateway_key: str,
    listening: str,
    certificate: Certificate,
) -> Iterator[Gateway]:
    """A gateway of the test's own, to be killed."""
    assert api.api_key
    environment = gateway_environment(tmp_path, sockets, gateway_key, listening, certificate)
    with started_gateway(tmp_path, environment, sockets / "gateway.sock") as gateway:
        yield gateway


@pytest.fixture
def front(
    tmp_path: Path, gateway: Gateway, sockets: Path, certificate: Certificate
) -> Iterator[Nginx]:
    directory = tmp_path / "nginx"
    directory.mkdir()
    backend = sockets / "server.sock"
    with nginx(directory, backend, certificate, gateway=gateway.socket) as front:
        yield front


def wait_until_carried(client: httpx.Client, agent: Minted, upstream: Recorder) -> None:
    """Ask until a request passes, with the credential; those before are refusals of ours."""
    upstream.clear()

    def passes() -> bool:
        response = call(client, agent)
        if response.status_code == 200:
            return True
        assert refusal(response)[0] == 503
        assert upstream.requests == []
        return False

    wait_until(passes)
    (received,) = upstream.requests
    assert received.all("Authorization") == [f"Bearer {CANARY}"]


def test_streams_of_a_worker_that_is_killed_end_on_both_sides(
    gateway: Gateway, client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    _, *workers = gateway.masters_and_workers()
    with streaming(gateway.url, agent, upstream) as stream:
        for each in workers:
            os.kill(each, signal.SIGKILL)
        assert stream.has_ended.wait(60)
        assert stream.is_left.wait(60)
        assert LAST not in stream.lines
    wait_until_carried(client, agent, upstream)


def test_a_gateway_that_is_killed_carries_nothing_until_it_is_back(
    tmp_path: Path, gateway: Gateway, client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    with streaming(gateway.url, agent, upstream) as stream:
        os.killpg(gateway.process.pid, signal.SIGKILL)
        assert stream.has_ended.wait(60)
        assert stream.is_left.wait(60)
        assert LAST not in stream.lines
    upstream.clear()
    assert refusal(call(client, agent)) == (503, "not_connected")
    assert upstream.requests == []
    with started_gateway(tmp_path, gateway.environment, gateway.socket):
        wait_until_carried(client, agent, upstream)


def test_while_the_api_is_gone_streams_go_on_and_nothing_new_is_carried(
    gateway: Gateway, client: httpx.Client, api: Strongroom, agent: Minted, upstream: Recorder
) -> None:
    with streaming(gateway.url, agent, upstream) as stream:
        api.kill()
        try:
            assert refusal(call(client, agent)) == (503, "admission_unavailable")
            stream.wait_for_more()
        finally:
            api.start()
        assert len(upstream.requests) == 1
        stream.wait_for_more()
        stream.may_end.set()
        assert stream.has_ended.wait(60)
        assert stream.lines[-1] == LAST
    wait_until_carried(client, agent, upstream)


def test_the_use_of_a_stream_that_was_killed_stays_written(
    gateway: Gateway, api: Strongroom, tenant: Tenant, agent: Minted, upstream: Recorder
) -> None:
    """Without an end, as nobody saw one."""
    with streaming(gateway.url, agent, upstream):
        os.killpg(gateway.process.pid, signal.SIGKILL)
    page = tenant.services.gateway_use_list.list(tenant.caller, agent.row.id, 10, None)
    (use,) = page.uses
    assert (use.id is not None, getattr(use, "status", 0)) == (True, None)
