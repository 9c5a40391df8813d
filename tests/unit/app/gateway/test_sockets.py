"""WebSockets through the gateway, between real ends of a library."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from tests.support.gateway.api import CONFIG, CREDENTIAL, OTHER_TOKEN, TOKEN
from tests.support.gateway.recorder import Connection, Received
from tests.support.gateway.rig import Rig, rig


@dataclass
class Sockets:
    """An upstream for WebSockets: it echoes, and shows the credential to who asks."""

    port: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    got: list[str | bytes] = field(default_factory=list)
    code: int | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.headers = [(name.lower(), value) for name, value in request.headers.items()]
        self.got.clear()
        self.closed.clear()
        ws = web.WebSocketResponse(protocols=("realtime",), max_msg_size=0)
        await ws.prepare(request)
        async for message in ws:
            self.got.append(message.data)
            if message.data == "leave":
                await ws.close(code=4001, message=f"bye {CREDENTIAL}".encode())
            elif message.type is WSMsgType.TEXT:
                await ws.send_str(message.data.replace("?", CREDENTIAL))
            else:
                await ws.send_bytes(message.data.replace(b"?", CREDENTIAL.encode()))
        self.code = ws.close_code
        self.closed.set()
        return ws


@asynccontextmanager
async def _sockets() -> AsyncIterator[Sockets]:
    made = Sockets()
    runner = web.ServerRunner(web.Server(made.serve), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass
class Both:
    """A gateway, and the upstream behind it."""

    rig: Rig
    upstream: Sockets

    def talk(
        self,
        talk: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]],
        *,
        protocols: tuple[str, ...] = (),
        compress: int = 0,
        token: str = TOKEN,
    ) -> None:
        """Connect a client, and let it talk."""

        async def connected() -> None:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    f"http://127.0.0.1:{self.rig.port}/{CONFIG}/v1/realtime?model=x",
                    headers={"Authorization": f"Bearer {token}"},
                    protocols=protocols,
                    compress=compress,
                ) as client,
            ):
                await talk(client)

        self.rig.thread.run(connected())


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with (
        rig(tmp_path_factory.mktemp("sockets"), recheck_seconds=0.02) as running,
        running.thread.entered(_sockets()) as upstream,
    ):
        yield Both(running, upstream)


@pytest.fixture
def both(started: Both) -> Both:
    started.rig.api.asked.clear()
    started.rig.api.admit_to(started.upstream.port)
    return started


def test_messages_go_both_ways(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_str("grüße")
        assert await client.receive_str() == "grüße"
        await client.send_bytes(b"\x00\xff" * 40_000)
        assert await client.receive_bytes() == b"\x00\xff" * 40_000

    both.talk(talk)
    assert both.rig.api.asked[0]["upgrade"] is True
    assert both.rig.api.asked[0]["query"] == ["model"]
    assert both.rig.api.end()["status"] == 101


def test_the_upstream_gets_the_credential_and_no_extension(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        assert client.protocol == "realtime"
        assert not client.compress

    offered = ("realtime", f"openai-insecure-api-key.{TOKEN}", "openai-insecure-api-key.mine")
    both.talk(talk, protocols=offered, compress=15)
    headers = dict(both.upstream.headers)
    assert headers["authorization"] == f"Bearer {CREDENTIAL}"
    assert headers["sec-websocket-protocol"] == "realtime"
    assert "sec-websocket-extensions" not in headers
    assert "mine" not in str(both.upstream.headers)
    assert "gws_" not in str(both.upstream.headers)


def test_a_message_with_the_credential_is_scrubbed(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_str('{"key": "?"}')
        assert await client.receive_str() == '{"key": "[masked]"}'
        await client.send_bytes(b"\x00?\xff")
        assert await client.receive_bytes() == b"\x00" + b"*" * len(CREDENTIAL) + b"\xff"

    both.talk(talk)
    assert both.rig.api.end()["scrub_hits"] == 2


def test_a_message_with_a_token_is_overwritten(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_str(f"env: {OTHER_TOKEN}")
        assert await client.receive_str() == f"env: {'*' * 99}"
        await client.send_bytes(TOKEN.encode())
        assert await client.receive_bytes() == b"*" * 99

    both.talk(talk)
    assert "gws_" not in str(both.upstream.got)


def test_the_upstreams_code_and_reason_reach_the_client(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_str("leave")
        message = await client.receive()
        assert (message.type, message.data, message.extra) == (
            WSMsgType.CLOSE,
            4001,
            "bye [masked]",
        )

    both.talk(talk)


def test_the_clients_code_reaches_the_upstream(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.close(code=4002)

    both.talk(talk)
    assert both.upstream.closed.wait(30)
    assert both.upstream.code == 4002


def test_a_client_that_vanishes_ends_the_upstream(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_str("hello")
        assert await client.receive_str() == "hello"
        transport = client.get_extra_info("socket")
        transport.shutdown(socket.SHUT_RDWR)

    both.talk(talk)
    assert both.upstream.closed.wait(30)


def test_a_socket_whose_token_ended_is_closed_with_the_reason(both: Both) -> None:
    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_str("hello")
        assert await client.receive_str() == "hello"
        both.rig.api.over = {both.rig.api.last_use: "gateway_token_refused"}
        message = await client.receive()
        assert (message.data, message.extra) == (1008, "gateway_token_refused")

    both.talk(talk)
    assert both.upstream.closed.wait(30)


def test_the_client_gets_no_socket_before_the_upstream_has_agreed(both: Both) -> None:
    async def answer(connection: Connection, received: Received) -> None:
        assert received.all("Upgrade") == ["websocket"]
        body = b'{"error": "no such model"}'
        head = "HTTP/1.1 404 X\r\nContent-Type: application/json\r\n"
        await connection.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    assert _declined(both, answer) == (404, b'{"error": "no such model"}')


def test_a_redirect_of_a_socket_is_not_followed(both: Both) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        location = f"Location: http://127.0.0.1:{both.upstream.port}/elsewhere\r\n"
        head = f"HTTP/1.1 302 X\r\n{location}Content-Length: 0\r\n\r\n"
        await connection.send(head.encode())

    assert _declined(both, answer)[0] == 302
    assert len(both.rig.upstream.requests) == 1


def test_an_answer_to_another_key_is_no_agreement(both: Both) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
        await connection.send(f"HTTP/1.1 101 X\r\n{fields}\r\n".encode())

    assert _declined(both, answer)[0] == 502


@pytest.mark.parametrize("version", ["12", ""])
def test_a_handshake_that_is_not_valid_reaches_no_upstream(both: Both, version: str) -> None:
    both.upstream.headers.clear()
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": version}
    assert both.rig.call(headers=headers).code == "upgrade_refused"
    assert not both.upstream.headers


def test_a_message_that_is_too_large_ends_both_sides(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.sockets.MAX_MESSAGE_BYTES", 1000)

    async def talk(client: aiohttp.ClientWebSocketResponse) -> None:
        await client.send_bytes(bytes(2000))
        message = await client.receive()
        assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED}

    both.talk(talk)
    assert both.upstream.closed.wait(30)
    assert both.upstream.got == []


def _declined(
    both: Both, answer: Callable[[Connection, Received], Awaitable[None]]
) -> tuple[int, bytes]:
    both.rig.upstream.clear()
    both.rig.upstream.answer = answer
    both.rig.api.admit_to(both.rig.upstream.port)

    async def connect() -> tuple[int, bytes]:
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        url = f"http://127.0.0.1:{both.rig.port}/{CONFIG}/v1"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await response.read()

    return both.rig.thread.run(asyncio.wait_for(connect(), 30))
