"""Whatever nginx refuses itself is refused in the server's own form, and is not to be repeated."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from tests.support.certificates import Certificate
from tests.support.nginx import Nginx, nginx

MARK = b"kumquat"
USUAL = b"Host: localhost\r\nAuthorization: Bearer x\r\n"
TARGETS = [
    b"/v1/secrets/a%b",
    b"/v1/secrets/%",
    b"/v1/secrets/%00" + MARK,
    b"/v1/secrets/%zz" + MARK,
    b"/../" + MARK,
    b"/%2e%2e/" + MARK,
    b"/v1/secrets/../../../" + MARK,
    b"/" + MARK * 1300,
]
REFUSED = {
    "a version that is none": (b"GET /v1/secrets HTTP/9.9\r\n" + USUAL + b"\r\n", 501),
    "a method in small letters": (MARK + b" / HTTP/1.1\r\n" + USUAL + b"\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\n" + USUAL + b"\r\n", 400),
    "a host that is none": (b"GET / HTTP/1.1\r\nHost: ..\r\n\r\n", 400),
    "a long header": (b"GET / HTTP/1.1\r\n" + USUAL + b"x: " + MARK * 2000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\n" + USUAL + (MARK * 300 + b": x\r\n") * 40 + b"\r\n", 431),
    "a length that is none": (b"POST / HTTP/1.1\r\n" + USUAL + b"Content-Length: x\r\n\r\n", 400),
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + USUAL + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        400,
    ),
    "length and chunks": (
        b"POST / HTTP/1.1\r\n"
        + USUAL
        + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a coding that is none": (
        b"POST / HTTP/1.1\r\n" + USUAL + b"Transfer-Encoding: kumquat\r\n\r\n",
        501,
    ),
    "a length over the cap": (
        b"POST /v1/secrets HTTP/1.1\r\n" + USUAL + b"Content-Length: 1073741824\r\n\r\n",
        413,
    ),
    "a redemption over its cap": (
        b"POST /v1/injections/redeem HTTP/1.1\r\n" + USUAL + b"Content-Length: 5000\r\n\r\n",
        413,
    ),
    "a trace": (b"TRACE /v1/secrets HTTP/1.1\r\n" + USUAL + b"\r\n", 405),
    "a tunnel": (b"CONNECT kumquat:1 HTTP/1.1\r\n" + USUAL + b"\r\n", 400),
    "a page of ours": (b"GET /.refused/400 HTTP/1.1\r\n" + USUAL + b"\r\n", 404),
    "a page of ours without an end": (b"GET /.refused/ HTTP/1.1\r\n" + USUAL + b"\r\n", 404),
}


def assert_refused(status: int, content_type: str, body: bytes) -> None:
    assert status < 500 or status == 501
    assert status not in {408, 409, 429}
    assert content_type == "application/json"
    assert set(json.loads(body)) == {"code", "message", "request_id"}
    assert MARK not in body


def over_tls(front: Nginx, trust: ssl.SSLContext, request: bytes) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer."""
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as opened,
    ):
        return over(opened, request)


def over(opened: socket.socket, request: bytes) -> tuple[int, str, bytes]:
    opened.sendall(request)
    answer = b""
    while b"}" not in answer and b"</html>" not in answer and (received := opened.recv(65536)):
        answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers = dict(field.lower().split(": ", 1) for field in fields)
    return int(status.split()[1]), headers["content-type"], body


@pytest.mark.parametrize("target", TARGETS, ids=range(len(TARGETS)))
def test_a_target_that_is_none_is_refused_in_json(
    front: Nginx, trust: ssl.SSLContext, target: bytes
) -> None:
    status, content_type, body = over_tls(
        front, trust, b"GET " + target + b" HTTP/1.1\r\n" + USUAL + b"\r\n"
    )
    assert_refused(status, content_type, body)
    assert 400 <= status < 500


@pytest.mark.parametrize("target", TARGETS, ids=range(len(TARGETS)))
def test_a_target_that_is_none_is_refused_in_json_over_http_2_too(
    front: Nginx, trust: ssl.SSLContext, target: bytes
) -> None:
    status, content_type, body = over_http_2(front, trust, target)
    assert_refused(status, content_type, body)
    assert 400 <= status < 500


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_by_nginx_is_json(
    front: Nginx, trust: ssl.SSLContext, request_: bytes, status: int
) -> None:
    answered, content_type, body = over_tls(front, trust, request_)
    assert answered == status
    assert_refused(answered, content_type, body)


def test_clear_text_is_refused_in_json(front: Nginx) -> None:
    with socket.create_connection(("127.0.0.1", front.port), timeout=20) as plain:
        status, content_type, body = over(plain, b"GET / HTTP/1.1\r\n" + USUAL + b"\r\n")
    assert status == 400
    assert_refused(status, content_type, body)


def test_a_refusal_names_the_request_and_is_not_stored(client: httpx.Client) -> None:
    refused = client.get("/.refused/404")
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    assert refused.headers["cache-control"] == "no-store"
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_no_response_has_a_header_twice(client: httpx.Client) -> None:
    answered = client.get("/v1/secrets")
    names = [name for name, _ in answered.headers.multi_items()]
    assert len(names) == len(set(names))


def assert_too_many(answer: httpx.Response) -> None:
    assert answer.json()["code"] == "too_many_requests"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.usefixtures("backend")
def test_requests_that_come_too_fast_are_refused_with_retry_after(
    tmp_path: Path, socket_path: Path, certificate: Certificate, trust: ssl.SSLContext
) -> None:
    few = {"rate=1000r/s": "rate=1r/s", "burst=1000 nodelay": "burst=1 nodelay"}
    with (
        nginx(tmp_path, socket_path, certificate, few) as front,
        httpx.Client(base_url=front.url, verify=trust, http2=True, trust_env=False) as client,
    ):
        answers = [client.get("/v1/secrets") for _ in range(10)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    for answer in refused:
        assert_too_many(answer)


@pytest.mark.usefixtures("backend")
def test_requests_beside_too_many_open_ones_are_refused_with_retry_after(
    tmp_path: Path, socket_path: Path, certificate: Certificate, trust: ssl.SSLContext
) -> None:
    few = {"limit_conn of_client 256": "limit_conn of_client 1"}
    with (
        nginx(tmp_path, socket_path, certificate, few) as front,
        httpx.Client(base_url=front.url, verify=trust, http2=True, trust_env=False) as client,
        socket.create_connection(("127.0.0.1", front.port), timeout=20) as plain,
    ):
        assert client.get("/v1/secrets").status_code == 401
        trust.set_alpn_protocols(["http/1.1"])
        with trust.wrap_socket(plain, server_hostname="127.0.0.1") as slow:
            slow.sendall(b"POST /v1/secrets HTTP/1.1\r\n" + USUAL + b"Content-Length: 9\r\n\r\n{")
            deadline = time.monotonic() + 20
            while client.get("/v1/secrets").status_code != 429:
                assert time.monotonic() < deadline
            assert_too_many(client.get("/v1/secrets"))
            assert client.get("/healthz").status_code == 200


@pytest.fixture
def alone(tmp_path: Path, certificate: Certificate) -> Iterator[Nginx]:
    """An nginx without a server."""
    with nginx(tmp_path, tmp_path / "nobody.sock", certificate) as front:
        yield front


def test_a_server_that_is_down_is_reported_in_json(alone: Nginx, trust: ssl.SSLContext) -> None:
    with httpx.Client(base_url=alone.url, verify=trust, http2=True, trust_env=False) as client:
        answer = client.get("/v1/secrets")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_connected")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def over_http_2(front: Nginx, trust: ssl.SSLContext, target: bytes) -> tuple[int, str, bytes]:
    """The same over HTTP/2."""
    trust.set_alpn_protocols(["h2"])
    config = h2.config.H2Configuration(validate_outbound_headers=False)
    http = h2.connection.H2Connection(config)
    http.initiate_connection()
    headers = [
        (b":method", b"GET"),
        (b":path", target),
        (b":scheme", b"https"),
        (b":authority", b"localhost"),
    ]
    http.send_headers(1, headers, end_stream=True)
    received: dict[bytes, bytes] = {}
    body = b""
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as opened,
    ):
        while True:
            opened.sendall(http.data_to_send())
            for event in http.receive_data(opened.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    received = {bytes(name): bytes(value) for name, value in event.headers}
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                assert not isinstance(event, h2.events.StreamReset)
                if isinstance(event, h2.events.StreamEnded):
                    kind = received[b"content-type"].decode()
                    return int(received[b":status"]), kind, body
