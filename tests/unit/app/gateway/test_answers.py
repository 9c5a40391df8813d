"""Answers of an upstream on their way to the client."""

import asyncio
import gzip
import threading

import pytest

from tests.support.gateway.api import CONFIG, CREDENTIAL
from tests.support.gateway.recorder import Answer, Connection, Received
from tests.support.gateway.rig import Rig

_CHUNKED = "Transfer-Encoding: chunked\r\n"


def _answers(
    body: bytes = b"", *, status: int = 200, kind: str = "application/json", lines: str = ""
) -> Answer:
    async def answer(connection: Connection, _: Received) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{lines}"
        await connection.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return answer


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "image/png", ""])
def test_an_echo_of_the_credential_does_not_pass(running: Rig, kind: str) -> None:
    echo = f'{{"headers": {{"authorization": "Bearer {CREDENTIAL}"}}}}'.encode()
    running.upstream.answer = _answers(echo, kind=kind, lines=f"X-Echo: {CREDENTIAL}\r\n")
    reply = running.call()
    assert reply.is_whole
    assert CREDENTIAL.encode() not in reply.body
    assert reply.headers["X-Echo"] == "[masked]"
    assert reply.body.startswith(b'{"headers": {"authorization": "Bearer ')


def test_an_echo_is_reported(running: Rig, caplog: pytest.LogCaptureFixture) -> None:
    running.upstream.answer = _answers(f'["{CREDENTIAL}", "{CREDENTIAL}"]'.encode())
    running.call()
    assert running.api.end()["scrub_hits"] == 2
    assert "answer_showed_secret" in caplog.text
    assert CREDENTIAL not in caplog.text


def test_bytes_pass_with_their_length(running: Rig) -> None:
    body = bytes(range(256)) * 1000
    running.upstream.answer = _answers(body, kind="application/octet-stream")
    reply = running.call()
    assert (reply.body, reply.headers["Content-Length"]) == (body, str(len(body)))


def test_an_encoded_answer_is_refused_although_none_was_asked_for(running: Rig) -> None:
    body = gzip.compress(CREDENTIAL.encode())
    running.upstream.answer = _answers(body, lines="Content-Encoding: gzip\r\n")
    reply = running.call(headers={"Accept-Encoding": "gzip"})
    assert (reply.status, reply.code) == (502, "encoded_answer")
    assert gzip.compress(CREDENTIAL.encode())[10:] not in reply.body


def test_an_encoded_answer_passes_where_nothing_is_scrubbed(running: Rig) -> None:
    running.api.admit_to(running.upstream.port, scrub=False)
    body = gzip.compress(b"plain")
    running.upstream.answer = _answers(body, lines="Content-Encoding: gzip\r\n")
    reply = running.call(headers={"Accept-Encoding": "gzip"})
    assert (reply.status, gzip.decompress(reply.body)) == (200, b"plain")
    assert running.upstream.requests[0].all("Accept-Encoding") == ["gzip"]


def test_a_refusal_of_the_upstream_passes_without_the_ends_of_the_key(running: Rig) -> None:
    message = f'{{"error": "wrong key {CREDENTIAL[:10]}*****{CREDENTIAL[-4:]}"}}'
    running.upstream.answer = _answers(message.encode(), status=401, lines="X-Own: yes\r\n")
    reply = running.call()
    assert (reply.status, reply.headers["X-Own"]) == (401, "yes")
    assert "x-strongroom-gateway" not in reply.headers
    assert reply.body == '{"error": "wrong key •••"}'.encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_passed_on_and_never_followed(running: Rig, status: int) -> None:
    location = f"http://127.0.0.1:{running.upstream.port}/elsewhere?a=b"
    running.upstream.answer = _answers(status=status, lines=f"Location: {location}\r\n")
    reply = running.call("POST", body=b"x")
    assert reply.status == status
    assert len(running.upstream.requests) == 1
    assert reply.headers["Location"] == f"http://127.0.0.1:8081/{CONFIG}/elsewhere?a=b"


@pytest.mark.parametrize(
    ("base", "sent", "passed"),
    [
        ("", "/v1/y", f"/{CONFIG}/v1/y"),
        ("/base", "/base/y", f"/{CONFIG}/y"),
        ("/base", "/other", "/other"),
        ("", "//evil.example/x", "//evil.example/x"),
        ("", "https://evil.example/x", "https://evil.example/x"),
        ("", "y?z", "y?z"),
    ],
)
def test_a_location_leads_through_the_gateway_only_to_the_same_origin(
    running: Rig, base: str, sent: str, passed: str
) -> None:
    origin = {"scheme": "http", "host": "127.0.0.1", "port": running.upstream.port, "base": base}
    running.api.admit_to(running.upstream.port, origin=origin)
    running.upstream.answer = _answers(status=302, lines=f"Location: {sent}\r\n")
    assert running.call().headers["Location"] == passed


def test_links_to_the_next_page_lead_through_the_gateway(running: Rig) -> None:
    here = f"http://127.0.0.1:{running.upstream.port}"
    link = f'<{here}/items?page=2>; rel="next", <https://other.example/>; rel="help"'
    running.upstream.answer = _answers(lines=f"Link: {link}\r\n")
    assert running.call().headers["Link"] == link.replace(here, f"http://127.0.0.1:8081/{CONFIG}")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_ends_at_once(running: Rig, status: int) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(f"HTTP/1.1 {status} X\r\nETag: a\r\n\r\n".encode())

    running.upstream.answer = answer
    reply = running.call()
    assert (reply.status, reply.body, reply.headers["ETag"]) == (status, b"", "a")


def test_an_answer_to_head_keeps_the_length_of_what_it_describes(running: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")

    running.upstream.answer = answer
    reply = running.call("HEAD")
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", "1234")


def test_an_answer_that_breaks_off_is_not_made_whole(running: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        await connection.send(f"{head}{_CHUNKED}\r\n5\r\nhello\r\n".encode())
        connection.writer.close()

    running.upstream.answer = answer
    reply = running.call()
    assert (reply.status, reply.is_whole) == (200, False)


def test_a_switch_of_protocols_that_nobody_asked_for_is_no_answer(running: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")

    running.upstream.answer = answer
    assert running.call().code == "upstream_unreachable"


def test_an_event_reaches_the_client_before_the_next_one_is_sent(running: Rig) -> None:
    """The upstream sends an event only once the client has the one before."""
    taken = threading.Semaphore(0)
    events = [f'data: {{"n": {n}, "text": "sk-{"w" * n}"}}\n\n'.encode() for n in range(20)]

    async def answer(connection: Connection, _: Received) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        await connection.send(f"{head}{_CHUNKED}\r\n".encode())
        for event in events:
            await connection.send(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.to_thread(taken.acquire)
        await connection.send(b"0\r\n\r\n")

    running.upstream.answer = answer
    with running.stream() as response:
        for event in events:
            assert response.read(len(event)) == event
            taken.release()
        assert response.read() == b""


def test_a_text_that_may_begin_a_value_waits_no_longer_than_it_should(running: Rig) -> None:
    taken = threading.Event()

    async def answer(connection: Connection, _: Received) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        await connection.send(f"{head}{_CHUNKED}\r\n4\r\na sk\r\n".encode())
        await asyncio.to_thread(taken.wait)
        await connection.send(b"1\r\n!\r\n0\r\n\r\n")

    running.upstream.answer = answer
    with running.stream() as response:
        assert response.read(4) == b"a sk"
        taken.set()
        assert response.read() == b"!"
