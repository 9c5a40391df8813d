"""Requests that run while something changes: they end, or go on, and never without an admission."""

import signal
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import h2.events
import httpx
import pytest

from app.services.container import Services
from tests.e2e.front.http_2 import http_2
from tests.e2e.gateway.conftest import CANARY, SECRET, Gateway
from tests.e2e.gateway.streams import HEAD, LAST, Stream, streaming
from tests.e2e.gateway.test_chain import bearer, call, path_of, refusal
from tests.support.certificates import Certificate
from tests.support.deployment import Tenant, child_of, new_tenant, revoke
from tests.support.gateway.recorder import Connection, Received, Recorder
from tests.support.gateway.stored import Minted, opened, replace_config, store_config, store_token
from tests.support.nginx import GATEWAY_NAME, Nginx
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_RECHECKS_SECONDS = 90.0
"""Room for several rechecks, of which there is one every 20 seconds."""


def _expire(tenant: Tenant, minted: Minted, api: Strongroom) -> None:
    """Put a row in the token's place that differs in its end, which no update changes."""
    services = tenant.services
    row = replace(minted.row, expires_at_ms=minted.row.created_at_ms + 1)
    with api.rows() as rows:
        rows.remove("gateway_tokens", id=minted.row.id)
    with services.gateway_keys._database.writing() as work:
        work.gateway_tokens.add(opened(services).guard(row))
        work.commit()


def _repoint(tenant: Tenant, minted: Minted, _: Strongroom) -> None:
    services, name = tenant.services, (minted.row.account_id, minted.row.config_id)
    with services.gateway_keys._database.reading() as repository:
        stored = repository.gateway_configs.get(*name)
    assert stored is not None
    config = opened(services).verify(stored)
    replace_config(tenant, replace(config, endpoint="https://elsewhere.example"))


ENDS: dict[str, tuple[Callable[[Tenant, Minted, Strongroom], object], str]] = {
    "token revoked": (
        lambda tenant, minted, _: tenant.services.gateway_tokens.revoke(
            tenant.caller, minted.row.id, None
        ),
        "gateway_token_refused",
    ),
    "token expired": (_expire, "gateway_token_expired"),
    "key revoked": (lambda tenant, *_: revoke(tenant), "gateway_token_refused"),
    "secret deleted": (lambda tenant, *_: tenant.delete(SECRET), "secret_gone"),
    "config pointed elsewhere": (_repoint, "gateway_config_changed"),
}


def _agent(tenant: Tenant, upstream: Recorder, *, child: bool = False) -> Minted:
    """A token of a new account, minted by its first key or by one below that."""
    tenant.create(SECRET, CANARY)
    config = store_config(tenant, f"https://localhost:{upstream.port}")
    return store_token(child_of(tenant) if child else tenant, config, SECRET)


def test_whatever_ends_a_token_ends_its_running_stream(
    gateway: Gateway,
    client: httpx.Client,
    api: Strongroom,
    services: Services,
    upstream: Recorder,
) -> None:
    """All at once, as each waits for the same recheck."""
    above = new_tenant(services)
    ends = {each: (new_tenant(services), *ENDS[each]) for each in ENDS}
    agents = {each: _agent(tenant, upstream) for each, (tenant, *_) in ends.items()}
    ends["key above revoked"] = above, lambda tenant, *_: revoke(tenant), "gateway_token_refused"
    agents["key above revoked"] = _agent(above, upstream, child=True)
    with ExitStack() as stack:
        streams: dict[str, Stream] = {
            name: stack.enter_context(streaming(gateway.url, agent, upstream))
            for name, agent in agents.items()
        }
        for name, (tenant, end, _) in ends.items():
            end(tenant, agents[name], api)
        for stream in streams.values():
            assert stream.has_ended.wait(_RECHECKS_SECONDS)
            assert stream.is_left.wait(_RECHECKS_SECONDS)
            assert LAST not in stream.lines
    count = len(upstream.requests)
    refused = {name: refusal(call(client, agent))[1] for name, agent in agents.items()}
    assert refused == {name: code for name, (*_, code) in ends.items()}
    assert len(upstream.requests) == count


def _leaving(upstream: Recorder, begun: bytes = b"") -> threading.Event:
    """Make the upstream answer so much, then nothing. Returns what is set once nobody waits."""
    is_left = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(begun)
        await connection.until_closed()
        is_left.set()

    upstream.answer = answer
    return is_left


def test_a_client_that_gives_up_a_stream_ends_it_at_the_upstream(
    front: Nginx, certificate: Certificate, agent: Minted, upstream: Recorder
) -> None:
    """Through nginx, where the connection of HTTP/2 goes on."""
    is_left = _leaving(upstream, HEAD + b"data: first\n\n")
    trust = ssl.create_default_context(cafile=str(certificate.ca_file))
    with http_2(front, trust, name=GATEWAY_NAME) as connection:
        headers = [(name.lower(), value) for name, value in bearer(agent).items()]
        stream = connection.ask("GET", path_of(agent), headers)
        connection.wait_for(h2.events.DataReceived, stream)
        connection.reset(stream)
        assert is_left.wait(60)


@pytest.mark.parametrize("body", ["", "a part of a body"], ids=["waiting", "sending"])
def test_a_client_that_hangs_up_before_an_answer_ends_its_request_at_the_upstream(
    front: Nginx, certificate: Certificate, agent: Minted, upstream: Recorder, body: str
) -> None:
    """Through nginx, where a connection of HTTP/1.1 is closed."""
    upstream.reads_bodies = False
    is_left = _leaving(upstream)
    length = 1_000_000 if body else 0
    head = f"POST {path_of(agent)} HTTP/1.1\r\nHost: {GATEWAY_NAME}\r\n"
    fields = {**bearer(agent), "Content-Length": str(length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    trust = ssl.create_default_context(cafile=str(certificate.ca_file))
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=60) as bare,
        trust.wrap_socket(bare, server_hostname=GATEWAY_NAME) as connection,
    ):
        connection.sendall(f"{head}{lines}\r\n{body}".encode())
        wait_until(lambda: bool(upstream.requests))
    assert is_left.wait(60)


def test_a_reload_of_the_gateway_lets_a_running_stream_end_by_itself(
    gateway: Gateway, client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    before = set(gateway.masters_and_workers())
    with streaming(gateway.url, agent, upstream) as stream:
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(set(gateway.masters_and_workers()) - before))
        stream.wait_for_more()
        stream.may_end.set()
        wait_until(stream.has_ended.is_set)
    assert stream.lines[-1] == LAST
    upstream.clear()
    assert call(client, agent).status_code == 200


def test_the_gateway_opens_no_file_of_the_api(gateway: Gateway, api: Strongroom) -> None:
    """Its open files, and all of its mapped ones, while it serves."""
    home = str(api.home)
    for process in gateway.masters_and_workers():
        opened_files = [_link(each) for each in Path(f"/proc/{process}/fd").iterdir()]
        mapped = Path(f"/proc/{process}/maps").read_text()
        assert [each for each in opened_files if each.startswith(home)] == []
        assert home not in mapped


def test_neither_key_nor_value_is_in_what_other_processes_see(
    gateway: Gateway, gateway_key: str
) -> None:
    for process in gateway.masters_and_workers():
        for name in ("environ", "cmdline"):
            assert gateway_key.encode() not in Path(f"/proc/{process}/{name}").read_bytes()


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
