"""PostgreSQL stops, freezes or drops every session, as at a fail-over, while agents stream."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateway.conftest import CANARY, Gateway, admitting
from tests.e2e.gateway.streams import LAST, streaming
from tests.e2e.gateway.test_chain import call, refusal
from tests.e2e.gateway.test_outages import wait_until_carried
from tests.support.gateway.recorder import Recorder, hello
from tests.support.gateway.stored import Minted
from tests.support.postgresql import PostgresqlServer, postgresql_server
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_UNAVAILABLE = {(503, "storage_unavailable"), (503, "admission_unavailable")}
_LONG_SECONDS = 180.0
"""Room for three rechecks, each of which fails after as long as the API waits for the database."""


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory,
    database: PostgresqlServer,
    sockets: Path,
    gateway_url: str,
) -> Iterator[Strongroom]:
    """A server that admits, on a database of its own."""
    url = database.url(database.create_database())
    settings = {"STRONGROOM_DATABASE_URL": url}
    with admitting(tmp_path_factory.mktemp("api"), sockets, gateway_url, settings) as server:
        yield server


def test_while_the_database_is_stopped_streams_go_on_and_nothing_new_is_carried(
    gateway: Gateway,
    client: httpx.Client,
    database: PostgresqlServer,
    agent: Minted,
    upstream: Recorder,
) -> None:
    with streaming(gateway.url, agent, upstream) as stream:
        database.stop(signal.SIGINT)  # which keeps what was committed
        try:
            assert refusal(call(client, agent)) in _UNAVAILABLE
            stream.wait_for_more()
        finally:
            database.start()
        assert len(upstream.requests) == 1
        stream.may_end.set()
        assert stream.has_ended.wait(60)
        assert stream.lines[-1] == LAST
    wait_until_carried(client, agent, upstream)


def test_a_stream_goes_on_although_a_frozen_database_answers_no_recheck(
    gateway: Gateway,
    client: httpx.Client,
    database: PostgresqlServer,
    agent: Minted,
    upstream: Recorder,
) -> None:
    def failed_rechecks() -> int:
        lines = gateway.log.read_text().splitlines()
        return sum("recheck_failed" in each or "TimeoutError" in each for each in lines)

    with streaming(gateway.url, agent, upstream) as stream:
        before = failed_rechecks()
        database.send(signal.SIGSTOP)
        try:
            assert refusal(call(client, agent)) in _UNAVAILABLE
            wait_until(lambda: failed_rechecks() > before, _LONG_SECONDS)
            stream.wait_for_more()
        finally:
            database.send(signal.SIGCONT)
        assert len(upstream.requests) == 1
        stream.may_end.set()
        assert stream.has_ended.wait(60)
        assert stream.lines[-1] == LAST
    wait_until_carried(client, agent, upstream)


def test_after_every_session_was_dropped_requests_are_carried_with_the_credential(
    gateway: Gateway,
    client: httpx.Client,
    database: PostgresqlServer,
    agent: Minted,
    upstream: Recorder,
) -> None:
    with streaming(gateway.url, agent, upstream) as stream:
        upstream.answer = hello  # to those that follow
        for _ in range(5):
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            response = call(client, agent)
            assert response.status_code == 200 or refusal(response) in _UNAVAILABLE
        stream.wait_for_more()
        assert {tuple(each.all("Authorization")) for each in upstream.requests} == {
            (f"Bearer {CANARY}",)
        }
