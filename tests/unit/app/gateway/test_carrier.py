"""One request through the gateway, to a real upstream."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.gateways.origins import Endpoint
from tests.support.gateway.api import CONFIG, CREDENTIAL, OTHER_TOKEN, TOKEN
from tests.support.gateway.recorder import HELLO, Connection, Received
from tests.support.gateway.rig import Rig, rig
from tests.support.ports import free_port
from tests.support.waiting import wait_until

_LINE = f"POST /{CONFIG}/v1 HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {TOKEN}\r\n"


def test_a_request_arrives_with_the_credential_in_place_of_the_token(running: Rig) -> None:
    reply = running.call("POST", "/v1/messages?beta=true&x=%2f", body=b"prompt")
    assert (reply.status, reply.body) == (200, b"hello")
    (received,) = running.upstream.requests
    assert received.request_line == "POST /v1/messages?beta=true&x=%2f HTTP/1.1"
    assert received.all("Authorization") == [f"Bearer {CREDENTIAL}"]
    assert received.body == b"prompt"
    assert TOKEN.encode() not in running.upstream.raw


def test_the_api_is_asked_with_the_token_the_config_and_the_canonical_path(running: Rig) -> None:
    running.call("PUT", "/v1/%6dessages?key=1&a=2")
    (asked,) = running.api.asked
    assert asked == {
        "token": TOKEN,
        "config": CONFIG,
        "method": "PUT",
        "path": "/v1/messages",
        "query": ["key", "a"],
        "address": "127.0.0.1",
        "upgrade": False,
    }


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("/@scope%2fname", "/@scope%2Fname"),
        ("/a%2Fb//c;d/", "/a%2Fb//c;d/"),
        ("/v1/%6Dodels/%C3%BC", "/v1/models/%C3%BC"),
        (
            "/v1beta/models/g:stream?alt=sse&q=%2e%2e/&a+b",
            "/v1beta/models/g:stream?alt=sse&q=%2e%2e/&a+b",
        ),
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("/$metadata/(x)!'*,~", "/$metadata/(x)!'*,~"),
    ],
)
def test_the_path_that_was_judged_is_sent(running: Rig, sent: str, received: str) -> None:
    running.call(path=sent)
    assert running.upstream.requests[0].target == received
    assert running.api.asked[0]["path"] == received.partition("?")[0]


@pytest.mark.parametrize("path", ["/a%2Fb", "/a//b", "/a;b", "/a%25b", "/a%C0%AFb"])
@pytest.mark.parametrize("base", ["", "/base"])
def test_a_path_that_servers_read_differently_passes_no_rule_and_no_base(
    running: Rig, path: str, base: str
) -> None:
    origin = {"scheme": "http", "host": "127.0.0.1", "port": running.upstream.port, "base": base}
    running.api.admit_to(running.upstream.port, origin=origin, strict=not base)
    reply = running.call(path=path)
    assert (reply.status, reply.code) == (400, "ambiguous_path")
    assert not running.upstream.requests


def test_a_base_path_stands_before_every_other(running: Rig) -> None:
    origin = {"scheme": "http", "host": "127.0.0.1", "port": running.upstream.port, "base": "/b"}
    running.api.admit_to(running.upstream.port, origin=origin)
    running.call(path="/v1?x")
    assert running.upstream.requests[0].target == "/b/v1?x"


def test_query_parameters_are_dropped_by_name(running: Rig) -> None:
    running.api.admit_to(running.upstream.port, drop_query=["key"])
    running.call(path="/v1?a=1&key=mine&%6bey=mine&KEY=mine&b=2")
    assert running.upstream.requests[0].target == "/v1?a=1&b=2"


@pytest.mark.parametrize("value", [*map(chr, range(0x20)), "\x7f", "é"], ids=ascii)
def test_a_secret_that_no_header_can_carry_is_refused(running: Rig, value: str) -> None:
    running.api.admit_to(running.upstream.port, set=[["X-Key", f"canary{value}"]])
    reply = running.call()
    assert (reply.status, reply.code) == (502, "credential_not_sendable")
    assert b"canary" not in reply.body
    assert not running.upstream.requests


def test_a_chunked_body_is_carried_as_it_comes(running: Rig) -> None:
    """The second chunk is sent only once the upstream has the first."""
    arrived = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        head = await connection.reader.readuntil(b"first\r\n")
        arrived.set()
        await connection.reader.readuntil(b"0\r\n\r\n")
        await connection.send(HELLO)
        assert head

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert arrived.wait(30)
        yield b"second"

    running.upstream.reads_bodies = False
    running.upstream.answer = answer
    reply = running.call("POST", body=pieces())
    assert reply.body == b"hello"


def test_a_client_that_waits_is_asked_for_its_body_once_it_is_admitted(running: Rig) -> None:
    with running.connected() as client:
        client.sendall(f"{_LINE}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert running.api.asked
        client.sendall(b"body")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
    (received,) = running.upstream.requests
    assert (received.body, received.all("Expect")) == (b"body", [])


def test_a_client_that_waits_is_not_asked_if_it_is_refused(running: Rig) -> None:
    running.api.refusal = (403, {"code": "request_not_allowed", "message": "m"}, {})
    answer = running.raw(f"{_LINE}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A gateway that takes small bodies, and has a server of ours beside it."""
    directory = tmp_path_factory.mktemp("small")
    own = frozenset({Endpoint(ipaddress.ip_address("127.0.0.1"), 1)})
    with rig(directory, own=own, STRONGROOM_GATEWAY_MAX_BODY="1000") as running:
        yield running


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A gateway that gives up after a second of silence."""
    with rig(tmp_path_factory.mktemp("impatient"), STRONGROOM_GATEWAY_IDLE="1") as running:
        yield running


def test_a_body_that_says_that_it_is_too_large_is_not_read(small: Rig) -> None:
    answer = small.raw(f"{_LINE}Content-Length: 1001\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_turns_out_too_large_is_cut_off(small: Rig) -> None:
    small.upstream.clear()
    reply = small.call("POST", body=iter([b"x" * 600, b"x" * 600]))
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert not small.upstream.requests


def test_a_client_that_stops_sending_is_given_up(impatient: Rig) -> None:
    answer = impatient.raw(f"{_LINE}Content-Length: 4\r\n\r\nab".encode())
    assert answer.startswith(b"HTTP/1.1 408")


def test_an_upstream_that_is_silent_is_given_up(impatient: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.until_closed()

    impatient.upstream.clear()
    impatient.upstream.answer = answer
    reply = impatient.call()
    assert (reply.status, reply.code) == (504, "upstream_timed_out")
    assert reply.headers["x-should-retry"] == "false"


def test_a_stream_that_falls_silent_is_cut_off(impatient: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        await connection.until_closed()

    impatient.upstream.clear()
    impatient.upstream.answer = answer
    reply = impatient.call()
    assert (reply.status, reply.is_whole) == (200, False)


def test_our_own_servers_are_not_reached(small: Rig) -> None:
    small.api.admit_to(1)
    assert small.call().code == "address_refused"
    small.api.admit_to(small.upstream.port)


@pytest.mark.parametrize("host", ["127.0.0.1", None], ids=["one address", "all"])
def test_servers_that_an_admission_names_are_not_reached(running: Rig, host: str | None) -> None:
    port = running.upstream.port
    running.upstream.clear()
    running.api.admit_to(port)
    assert running.call().status == 200
    running.api.admit_to(port, own=[[host, port]])
    assert running.call().code == "address_refused"
    running.api.admit_to(port, own=[[host, port + 1]])
    assert running.call().status == 200
    assert len(running.upstream.requests) == 2


@pytest.mark.parametrize("own", [[["localhost", 1]], [["127.0.0.1"]], None])
def test_an_admission_with_servers_that_cannot_be_read_is_none(running: Rig, own: object) -> None:
    running.api.admit_to(running.upstream.port, own=own)
    assert running.call().code == "admission_unavailable"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_a_private_address_is_not_reached_without_leave(running: Rig, host: str) -> None:
    port = running.upstream.port
    origin = {"scheme": "http", "host": host, "port": port, "base": ""}
    before = running.upstream.connections
    running.api.admit_to(port, origin=origin, private=False)
    reply = running.call()
    assert reply.code in {"address_refused", "upstream_unreachable"}
    assert b"127" not in reply.body
    assert running.upstream.connections == before


def test_an_upstream_that_is_away_is_named_to_nobody(running: Rig) -> None:
    port = free_port()
    running.api.admit_to(port)
    reply = running.call()
    assert (reply.status, reply.code) == (502, "upstream_unreachable")
    assert str(port).encode() not in reply.body


def test_an_api_that_is_away_admits_nothing(tmp_path: Path) -> None:
    with rig(tmp_path) as running:
        (tmp_path / "admission.sock").unlink()
        reply = running.call()
        assert (reply.status, reply.code) == (503, "admission_unavailable")
        assert reply.headers["Retry-After"] == "1"
        assert not running.upstream.requests


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_request_is_never_sent_twice(running: Rig, method: str) -> None:
    """The upstream closes the kept connection as the second request arrives."""

    async def answer(connection: Connection, received: Received) -> None:
        if len(running.upstream.requests) == 1:
            await connection.send(HELLO)
        else:
            connection.writer.close()

    running.upstream.answer = answer
    assert running.call().status == 200
    assert running.call(method).code == "upstream_unreachable"
    assert len(running.upstream.requests) == 2


def test_two_tokens_never_share_a_connection(running: Rig) -> None:
    for token in (TOKEN, OTHER_TOKEN, TOKEN, OTHER_TOKEN):
        assert running.call(token=token).status == 200
    numbers = [each.connection for each in running.upstream.requests]
    assert numbers[0] == numbers[2] != numbers[1] == numbers[3]


def test_a_request_that_came_through_us_is_a_loop(running: Rig) -> None:
    running.call()
    via = running.upstream.requests[0].all("Via")[0]
    reply = running.call(headers={"Via": f"1.1 other, {via}"})
    assert (reply.status, reply.code) == (508, "loop")
    assert len(running.upstream.requests) == 1


def test_a_config_that_leads_to_the_gateway_itself_ends_as_a_loop(running: Rig) -> None:
    base = f"/{CONFIG}"
    origin = {"scheme": "http", "host": "localhost", "port": running.port, "base": base}
    credential = [["Authorization", f"Bearer {TOKEN}"]]
    running.api.admit_to(running.port, origin=origin, set=credential, scrub=False)
    assert running.call().status == 508
    assert len(running.api.asked) == 1


def test_a_client_that_hangs_up_ends_the_request_to_the_upstream(running: Rig) -> None:
    closed = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        await connection.until_closed()
        closed.set()

    running.upstream.answer = answer
    with running.connected() as client:
        client.sendall(f"{_LINE}Content-Length: 0\r\n\r\n".encode())
        wait_until(lambda: bool(running.upstream.requests))
    assert closed.wait(30)


def test_a_client_that_hangs_up_in_a_stream_ends_it(running: Rig) -> None:
    closed = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        await connection.send(head + b"data: 1\n\n")
        await connection.until_closed()
        closed.set()

    running.upstream.answer = answer
    with running.stream() as response:
        assert response.read(9) == b"data: 1\n\n"
    assert closed.wait(30)
    assert running.api.end()["bytes_out"] == 9


def test_a_client_that_reads_slowly_slows_the_upstream_down(running: Rig) -> None:
    """Far less than 64 MiB leaves the upstream while the client does not read."""
    sent = 0

    async def answer(connection: Connection, _: Received) -> None:
        nonlocal sent
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        for _piece in range(1024):
            connection.writer.write(bytes(65536))
            await connection.writer.drain()
            sent += 65536

    def stands() -> bool:
        before = sent
        running.thread.run(asyncio.sleep(0.2))
        return before == sent

    running.api.admit_to(running.upstream.port, scrub=False)
    running.upstream.answer = answer
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(f"{_LINE}Content-Length: 0\r\n\r\n".encode())
        wait_until(lambda: sent > 0 and stands())
    assert sent < 48 << 20
