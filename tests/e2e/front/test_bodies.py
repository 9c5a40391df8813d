"""No body reaches nginx's disk, however it is cut into pieces."""

import json
import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.front.conftest import THREADS
from tests.e2e.front.http_2 import http_2
from tests.support.nginx import Nginx
from tests.support.strongroom import Strongroom

LARGEST = 1024 * 1024


@pytest.fixture(autouse=True)
def nothing_is_written(front: Nginx) -> Iterator[None]:
    """A file that is made and deleted at once leaves its trace in its directory's time."""
    before = front.bodies.stat().st_mtime_ns
    yield
    assert front.bodies.stat().st_mtime_ns == before


@pytest.fixture
def usual(backend: Strongroom) -> list[tuple[str, str]]:
    return [
        ("authorization", f"Bearer {backend.api_key}"),
        ("content-type", "application/json"),
    ]


def body_of(size: int, name: str) -> bytes:
    """A body that creates a secret, filled up with blanks."""
    return json.dumps({"name": name, "value": "a value"}).encode().ljust(size)


@pytest.mark.parametrize("length_is_told", [True, False])
def test_a_body_in_odd_frames_stays_in_memory(
    front: Nginx, trust: ssl.SSLContext, usual: list[tuple[str, str]], length_is_told: bool
) -> None:
    body = body_of(LARGEST, f"FRAMES_{length_is_told}".upper())
    told = [("content-length", str(len(body)))] if length_is_told else []
    with http_2(front, trust) as client:
        stream = client.ask("POST", "/v1/secrets", usual + told, ends=False)
        while body:
            size = min(9973, client.http.local_flow_control_window(stream), len(body))
            if not size:
                client.http.receive_data(client.opened.recv(65536))
                continue
            client.http.send_data(stream, body[:size], end_stream=size == len(body))
            client.flush()
            body = body[size:]
        assert client.status_of(stream) == 200


def send_chunks(
    front: Nginx, trust: ssl.SSLContext, usual: list[tuple[str, str]], chunks: list[bytes]
) -> bytes:
    """The status line of the answer."""
    trust.set_alpn_protocols(["http/1.1"])
    head = "POST /v1/secrets HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in usual)
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=30) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as opened,
    ):
        opened.sendall(head.encode() + b"\r\n")
        for chunk in chunks:
            opened.sendall(chunk)
        return opened.makefile("rb").readline()


def test_a_body_in_tiny_chunks_stays_in_memory(
    front: Nginx, trust: ssl.SSLContext, usual: list[tuple[str, str]]
) -> None:
    body = body_of(400_000, "TINY_CHUNKS")
    chunks = [
        b"".join(b"1\r\n%c\r\n" % byte for byte in body[i : i + 10_000])
        for i in range(0, len(body), 10_000)
    ]
    assert send_chunks(front, trust, usual, [*chunks, b"0\r\n\r\n"]).split()[1] == b"200"


def test_a_body_in_chunks_with_long_headers_stays_in_memory(
    front: Nginx, trust: ssl.SSLContext, usual: list[tuple[str, str]]
) -> None:
    chunks = [
        b"0" * 100 + b"1;" + b"x" * 9000 + b"\r\n%c\r\n" % byte
        for byte in body_of(300, "LONG_CHUNKS")
    ]
    send_chunks(front, trust, usual, [*chunks, b"0\r\n\r\n"])


def test_slow_chunked_bodies_leave_threads_to_other_requests(
    client: httpx.Client, front: Nginx, trust: ssl.SSLContext
) -> None:
    trust.set_alpn_protocols(["http/1.1"])
    opened = []
    for _ in range(4 * THREADS):
        plain = socket.create_connection(("127.0.0.1", front.port), timeout=30)
        slow = trust.wrap_socket(plain, server_hostname="127.0.0.1")
        slow.sendall(
            b"POST /v1/secrets HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n"
        )
        opened.append(slow)
    try:
        assert client.get("/v1/secrets").status_code == 200
    finally:
        for slow in opened:
            slow.close()
