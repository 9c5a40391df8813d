"""Which node nginx asks, and what it asks no second one: by nodes that do as a test says."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.support.certificates import Certificate
from tests.support.nginx import Nginx, nginx
from tests.support.stub_node import OK, StubNode, stub_node
from tests.support.waiting import wait_until

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Retry-After: 7\r\nx-should-retry: true\r\nx-request-id: req_1\r\nContent-Length: 12\r\n\r\n"
    b'{"code":"x"}'
)
_POST = {"name": "A", "value": "a value"}


@pytest.fixture
def nodes() -> Iterator[tuple[StubNode, StubNode]]:
    with (
        TemporaryDirectory(prefix="strongroom-") as directory,
        stub_node(Path(directory, "a.sock")) as first,
        stub_node(Path(directory, "b.sock")) as second,
    ):
        Path(directory).chmod(0o755)
        yield first, second


@pytest.fixture
def front(
    tmp_path: Path, nodes: tuple[StubNode, StubNode], certificate: Certificate
) -> Iterator[Nginx]:
    """One worker process, so that requests are handed to the nodes in turn."""
    changes = {
        "worker_processes auto": "worker_processes 1",
        "proxy_read_timeout 20s": "proxy_read_timeout 1s",
    }
    with nginx(tmp_path, (nodes[0].path, nodes[1].path), certificate, changes) as front:
        yield front


@pytest.fixture
def client(front: Nginx, trust: ssl.SSLContext) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer a-token", "x-request-id": "chosen by the client"}
    with httpx.Client(
        base_url=front.url, verify=trust, http2=True, headers=headers, trust_env=False, timeout=30
    ) as client:
        yield client


def posts(node: StubNode) -> int:
    return sum(request.startswith(b"POST ") for request in node.requests)


def test_both_nodes_are_asked(client: httpx.Client, nodes: tuple[StubNode, StubNode]) -> None:
    for _ in range(10):
        assert client.post("/v1/secrets", json=_POST).status_code == 200
    assert [posts(node) for node in nodes] == [5, 5]


def test_a_write_that_a_lost_node_may_have_done_is_not_sent_to_another(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].answer = nodes[1].answer = lambda _: None
    refused = client.post("/v1/secrets", json=_POST)
    assert sum(posts(node) for node in nodes) == 1
    assert (refused.status_code, refused.json()["code"]) == (503, "not_connected")
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_a_write_that_a_frozen_node_may_do_yet_is_not_sent_to_another(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    thawed = threading.Event()
    for node in nodes:
        node.answer = lambda _: OK if thawed.wait(30) else None
    refused = client.post("/v1/secrets", json=_POST)
    thawed.set()
    assert sum(posts(node) for node in nodes) == 1
    assert (refused.status_code, refused.json()["code"]) == (503, "not_connected")


def test_a_read_that_a_lost_node_did_not_answer_is_sent_to_another(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].answer = lambda _: None
    assert [client.get("/v1/secrets").status_code for _ in range(4)] == [200] * 4
    assert len(nodes[0].requests) == 2


def test_a_read_that_a_frozen_node_did_not_answer_is_sent_to_another(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    thawed = threading.Event()
    nodes[0].answer = lambda _: OK if thawed.wait(30) else None
    assert [client.get("/v1/secrets").status_code for _ in range(2)] == [200, 200]
    thawed.set()
    assert nodes[0].requests


def test_a_write_that_did_not_reach_a_node_is_sent_to_another(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].close()
    assert [client.post("/v1/secrets", json=_POST).status_code for _ in range(6)] == [200] * 6
    assert posts(nodes[1]) == 6


def test_a_node_that_failed_twice_is_left_alone(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].answer = lambda _: None
    for _ in range(20):
        assert client.get("/v1/secrets").status_code == 200
    # Two failures put it out. It may be tried once more after 5 seconds, on a slow machine.
    assert 2 <= len(nodes[0].requests) < 10


def test_a_node_that_comes_back_is_asked_again(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].answer = lambda _: None
    for _ in range(4):
        client.get("/v1/secrets")
    nodes[0].answer = lambda _: OK
    before = len(nodes[0].requests)

    def is_asked() -> bool:
        client.get("/v1/secrets")
        return len(nodes[0].requests) > before + 1

    wait_until(is_asked)


def test_a_node_that_refuses_by_itself_stays_in_use_and_its_answer_is_left_alone(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].answer = nodes[1].answer = lambda _: _BUSY
    refused = [client.get("/v1/secrets") for _ in range(10)]
    assert [len(node.requests) for node in nodes] == [5, 5]
    assert {each.content for each in refused} == {b'{"code":"x"}'}


def test_a_body_in_chunks_that_breaks_off_puts_no_node_out(
    client: httpx.Client, nodes: tuple[StubNode, StubNode], front: Nginx, trust: ssl.SSLContext
) -> None:
    for node in nodes:
        node.answer = lambda request: None if b"chunked" in request.lower() else OK
    trust.set_alpn_protocols(["http/1.1"])
    chunked = (
        b"POST /v1/secrets HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
    )
    for _ in range(6):
        with (
            socket.create_connection(("127.0.0.1", front.port), timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1") as opened,
        ):
            opened.sendall(chunked)
            assert opened.recv(65536).startswith(b"HTTP/1.1 503 ")
    assert [client.get("/v1/secrets").status_code for _ in range(6)] == [200] * 6
    for node in nodes:
        assert sum(request.startswith(b"GET ") for request in node.requests) == 3


def test_credential_and_request_id_reach_the_node_as_they_were_sent(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    client.post("/v1/secrets", json=_POST)
    (request,) = nodes[0].requests + nodes[1].requests
    head = request.lower().split(b"\r\n")
    assert b"authorization: bearer a-token" in head
    assert b"x-request-id: chosen by the client" in head
    assert not [line for line in head if line.startswith(b"connection:")]


def test_what_tells_clients_when_to_repeat_reaches_them_as_the_node_said_it(
    client: httpx.Client, nodes: tuple[StubNode, StubNode]
) -> None:
    nodes[0].answer = nodes[1].answer = lambda _: _BUSY
    headers = client.get("/v1/secrets").headers
    assert (headers["retry-after"], headers["x-should-retry"]) == ("7", "true")
    assert headers["x-request-id"] == "req_1"
