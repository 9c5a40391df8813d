"""Requests that run while something changes: they end, or go on, and never without an admission."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.e2e.gateway.conftest import Gateway
from tests.e2e.gateway.test_chain import bearer, call, path_of, refusal
from tests.support.deployment import Tenant, revoke
from tests.support.gateway.recorder import Connection, Received, Recorder
from tests.support.gateways import Minted
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_BETWEEN_SECONDS = 0.05
LONGEST_SECONDS = 30.0
"""From a revocation to the end of a stream."""


@dataclass
class Stream:
    """A stream that an agent reads; the upstream sends an event as soon as the last was read."""

    lines: list[str] = field(default_factory=list)
    has_ended: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    async def answer(self, connection: Connection, _: Received) -> None:
        await connection.send(HEAD)
        while not self.may_end.is_set():
            await connection.send(b"data: event\n\n")
            await asyncio.sleep(_BETWEEN_SECONDS)
        await connection.send(b"data: last\n\n")
        connection.writer.close()


@contextmanager
def streaming(gateway: Gateway, minted: Minted, upstream: Recorder) -> Iterator[Stream]:
    """Read a stream in a thread, from its first event to the end of the block or its own."""
    stream = Stream()
    upstream.answer = stream.answer

    def collect() -> None:
        with (
            httpx.Client(base_url=gateway.url, trust_env=False, timeout=90) as client,
            client.stream("GET", path_of(minted, "/v1/events"), headers=bearer(minted)) as got,
        ):
            for line in got.iter_lines():
                if line:
                    stream.lines.append(line)

    def run() -> None:
        try:
            collect()
        except httpx.HTTPError:
            pass
        finally:
            stream.has_ended.set()

    reading = threading.Thread(target=run, daemon=True)
    reading.start()
    wait_until(lambda: bool(stream.lines) or stream.has_ended.is_set())
    assert stream.lines, "the stream did not begin"
    try:
        yield stream
    finally:
        stream.may_end.set()
        reading.join(60)


def test_a_revocation_ends_a_running_stream_within_30_seconds(
    gateway: Gateway, tenant: Tenant, agent: Minted, upstream: Recorder
) -> None:
    with streaming(gateway, agent, upstream) as stream:
        began = time.monotonic()
        revoke(tenant)
        wait_until(stream.has_ended.is_set, 3 * LONGEST_SECONDS)
        took = time.monotonic() - began
    assert "data: last" not in stream.lines
    assert took < LONGEST_SECONDS


def test_a_reload_of_the_gateway_lets_a_running_stream_end_by_itself(
    gateway: Gateway, client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    before = set(gateway.masters_and_workers())
    with streaming(gateway, agent, upstream) as stream:
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: bool(set(gateway.masters_and_workers()) - before))
        count = len(stream.lines)
        wait_until(lambda: len(stream.lines) > count + 2)
        stream.may_end.set()
        wait_until(stream.has_ended.is_set)
    assert stream.lines[-1] == "data: last"
    upstream.clear()
    assert call(client, agent).status_code == 200


def test_while_the_api_is_gone_nothing_new_is_carried(
    gateway: Gateway, client: httpx.Client, api: Strongroom, agent: Minted, upstream: Recorder
) -> None:
    with streaming(gateway, agent, upstream) as stream:
        api.kill()
        try:
            assert refusal(call(client, agent)) == (503, "admission_unavailable")
            count = len(stream.lines)
            wait_until(lambda: len(stream.lines) > count)
        finally:
            api.start()
        assert len(upstream.requests) == 1
    upstream.clear()
    wait_until(lambda: call(client, agent).status_code == 200)
    assert all(each.all("Authorization") for each in upstream.requests)


def test_the_gateway_opens_no_file_of_the_api(gateway: Gateway, api: Strongroom) -> None:
    """Its open files, and all of its mapped ones, while it serves."""
    home = str(api.home)
    for process in gateway.masters_and_workers():
        opened = [_link(each) for each in Path(f"/proc/{process}/fd").iterdir()]
        mapped = Path(f"/proc/{process}/maps").read_text()
        assert [each for each in opened if each.startswith(home)] == []
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
