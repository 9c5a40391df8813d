"""A command that makes many calls keeps its connections, and none that may be out of step."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.client.api import Account
from app.client.idle_connections import IdleConnections
from tests.support.certificates import make_certificate
from tests.support.waiting import wait_until

_SECRET = b'{"id": "sec_1", "name": "A", "create_time_ms": 1, "update_time_ms": 1}'


class Server(ThreadingHTTPServer):
    """Answers every call with a secret, over connections that stay open.

    Attributes:
        answers: What to answer first: a body, or None to end the connection instead.
        ends_each: Closes every connection after its first answer, without a word.
        accepted: How many connections were accepted; ``ended`` counts those that are over.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[bytes | None] = []
        self.ends_each = False
        self.accepted, self.ended = 0, 0
        self.request_ids: list[str] = []

    def account(self, idle: IdleConnections, scheme: str = "http") -> Account:
        return Account(f"{scheme}://127.0.0.1:{self.server_port}", "ak_x", 20.0, idle=idle)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.accepted += 1

    def finish(self) -> None:
        super().finish()
        self.server.ended += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.request_ids.append(self.headers["x-request-id"])
        answer = self.server.answers.pop(0) if self.server.answers else _SECRET
        self.close_connection = answer is None or self.server.ends_each
        if answer is not None:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
            self.wfile.write(head.encode() + answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def idle() -> Iterator[IdleConnections]:
    with closing(IdleConnections()) as idle:
        yield idle


def test_calls_one_after_another_share_a_connection(server: Server, idle: IdleConnections) -> None:
    for _ in range(5):
        server.account(idle).create("A", "x")
    assert server.accepted == 1


def test_a_connection_stays_open_under_tls(
    server: Server, idle: IdleConnections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.file, certificate.key_file)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    for _ in range(5):
        server.account(idle, "https").create("A", "x")
    assert server.accepted == 1


def test_a_connection_that_the_server_ended_is_replaced_before_the_call(
    server: Server, idle: IdleConnections
) -> None:
    server.ends_each = True
    for number in range(1, 4):
        server.account(idle).create("A", "x")
        wait_until(lambda: server.ended == number)  # noqa: B023 - called at once
    assert len(server.request_ids) == len(set(server.request_ids)) == 3


def test_a_connection_that_failed_is_not_used_again(server: Server, idle: IdleConnections) -> None:
    server.answers = [_SECRET, None]
    server.account(idle).create("A", "x")
    server.account(idle).create("A", "x")
    assert server.accepted == 2
    assert server.request_ids[1] == server.request_ids[2]


def test_closing_ends_the_connections(server: Server) -> None:
    with closing(IdleConnections()) as idle:
        server.account(idle).create("A", "x")
        assert server.ended == 0
    wait_until(lambda: server.ended == 1)


def test_a_response_that_is_whole_but_unexpected_keeps_the_connection(
    server: Server, idle: IdleConnections
) -> None:
    server.answers = [b"{}"]
    server.account(idle).create("A", "x")
    assert (server.accepted, len(server.request_ids)) == (1, 2)
