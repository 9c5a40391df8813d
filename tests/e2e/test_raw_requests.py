"""Requests that only a socket can send: malformed HTTP, or as little of it as possible."""

import json
import socket

import h2.config
import h2.connection
import h2.events
import pytest

from tests.e2e.account import Account

MARK = b"kumquat"
CHUNKED = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"
MEBIBYTE = b"100000\r\n" + b" " * 0x100000 + b"\r\n"

REFUSED = {
    "no HTTP": (b"\x00\x01" + MARK + b"\r\n\r\n", 400),
    "a version that is none": (b"GET /v1/secrets HTTP/9.9\r\n<usual>\r\n", 400),
    "a method that is none": (b"k\xffmquat /v1/secrets HTTP/1.1\r\n<usual>\r\n", 400),
    "a method in small letters": (MARK + b" /v1/secrets HTTP/1.1\r\n<usual>\r\n", 400),
    "NUL in a path": (b"GET /v1/secrets/" + MARK + b"\0 HTTP/1.1\r\n<usual>\r\n", 400),
    "a long line": (b"GET /" + MARK * 2000 + b" HTTP/1.1\r\n<usual>\r\n", 414),
    "a long header": (b"GET / HTTP/1.1\r\n<usual>x: " + MARK * 2000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\n<usual>" + (MARK + b": x\r\n") * 100 + b"\r\n", 431),
    "a header without a name": (b"GET / HTTP/1.1\r\n<usual>: " + MARK + b"\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\n<usual>x: a\r\n " + MARK + b"\r\n\r\n", 400),
    "a host that is none": (b"GET / HTTP/1.1\r\nHost: " + MARK * 40 + b"\r\n\r\n", 400),
    "a length that is none": (
        b"POST /v1/secrets HTTP/1.1\r\n<usual>Content-Length: +2\r\n\r\n{}",
        400,
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\n<usual>Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        400,
    ),
    "length and chunks": (
        b"POST / HTTP/1.1\r\n<usual>Content-Length: 2\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
        400,
    ),
    "a coding that is none": (b"POST / HTTP/1.1\r\n<usual>Transfer-Encoding: kumquat\r\n\r\n", 501),
    "an expectation": (b"POST / HTTP/1.1\r\n<usual>Expect: " + MARK + b"\r\n\r\n", 417),
    "a chunk that is none": (
        b"POST /v1/secrets HTTP/1.1\r\n<usual>" + CHUNKED + b"\r\nkumquat\r\n",
        400,
    ),
    "chunks over the cap": (
        b"POST /v1/secrets HTTP/1.1\r\n<usual>"
        + CHUNKED
        + b"\r\n"
        + MEBIBYTE
        + MEBIBYTE
        + b"0\r\n\r\n",
        413,
    ),
    "a length over the cap": (
        b"POST /v1/secrets HTTP/1.1\r\n<usual>"
        + JSON
        + b"Content-Length: 1073741824\r\n\r\n"
        + MARK,
        413,
    ),
    "every path at once": (b"OPTIONS * HTTP/1.1\r\n<usual>\r\n", 404),
    "a tunnel": (b"CONNECT kumquat:1 HTTP/1.1\r\n<usual>\r\n", 404),
}


def _send(account: Account, request: bytes) -> tuple[int, bytes, bytes]:
    """Status, head and body of the answer; ``<usual>`` stands for host and credential."""
    usual = f"Host: localhost\r\nAuthorization: Bearer {account.token}\r\n".encode()
    port = int(account.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request.replace(b"<usual>", usual))
        answer = b""
        while b"}" not in answer:
            received = connection.recv(65536)
            if not received:
                break
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_request_is_refused_in_json_without_an_echo(
    account: Account, request_: bytes, status: int
) -> None:
    answered, head, body = _send(account, request_)
    assert answered == status
    assert set(json.loads(body)) == {"code", "message", "request_id"}
    assert b"content-type: application/json\r\n" in head.lower() + b"\r\n"
    assert MARK not in (head + body).lower()


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/secrets/A%2Fdelete",
        b"http://elsewhere/v1/secrets/A%2fdelete",
        b"/v1/secrets%2FA/delete",
    ],
)
def test_an_encoded_slash_deletes_nothing(account: Account, target: bytes) -> None:
    account.create("A")
    status, _, _ = _send(
        account, b"POST " + target + b" HTTP/1.1\r\n<usual>Content-Length: 0\r\n\r\n"
    )
    assert status in {400, 404}
    assert account.names() == ["A"]


@pytest.mark.parametrize("header", [b"PATH_INFO: /healthz", b"SCRIPT_NAME: /nowhere"])
def test_no_header_changes_the_path(account: Account, header: bytes) -> None:
    asked = b"GET /nowhere/healthz HTTP/1.1\r\n<usual>" + header + b"\r\n\r\n"
    status, _, _ = _send(account, asked)
    assert status in {400, 404}


def test_an_encoded_slash_deletes_nothing_over_http_2_either(account: Account) -> None:
    account.create("A")
    assert _post_over_http_2(account, "/v1/secrets/A%2Fdelete")[":status"] == "400"
    assert account.names() == ["A"]
    assert _post_over_http_2(account, "/v1/secrets/A/delete")[":status"] == "200"
    assert account.names() == []


def _post_over_http_2(account: Account, path: str) -> dict[str, str]:
    """The headers of the answer to a POST without a body, in clear text."""
    config = h2.config.H2Configuration(header_encoding="utf-8")
    http = h2.connection.H2Connection(config)
    http.initiate_connection()
    headers = {
        ":method": "POST",
        ":path": path,
        ":scheme": "http",
        ":authority": "localhost",
        "authorization": f"Bearer {account.token}",
    }
    http.send_headers(1, list(headers.items()), end_stream=True)
    port = int(account.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        while True:
            connection.sendall(http.data_to_send())
            received = connection.recv(65536)
            assert received
            for event in http.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    return {str(name): str(value) for name, value in event.headers}
