"""HTTP that ends in time and takes nothing from around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from backends.calls.bounded_http import BoundedHttp, Failure, Response
from backends.calls.deadline import Deadline
from tests.support.faulty_proxy import Fault, FaultyProxy, Link, answer, hang, reset

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def http() -> Iterator[BoundedHttp]:
    http = BoundedHttp(pool_size=2)
    yield http
    http.close()


@contextmanager
def server(*faults: Fault) -> Iterator[str]:
    """Serves each connection by the next of ``faults``; its URL."""
    waiting = list(faults)
    proxy = FaultyProxy(NOWHERE)

    def serve(link: Link) -> None:
        waiting.pop(0)(link)

    try:
        with proxy.failing(serve):
            yield f"http://{proxy.host}/path"
    finally:
        proxy.close()


def raw(content: bytes) -> Fault:
    """Say ``content`` to a request, then close."""

    def fault(link: Link) -> None:
        link.client.recv(65536)
        link.client.sendall(content)

    return fault


def get(http: BoundedHttp, url: str, seconds: float = 5.0) -> Response:
    return http.exchange("GET", url, {}, None, Deadline(seconds))


def test_an_answer_is_its_status_and_its_json(http: BoundedHttp) -> None:
    with server(answer(404, {"a": [1]}, **{"Retry-After": "9"})) as url:
        found = get(http, url)
    assert (found.status, found.failure, found.body, found.retry_after) == (
        404,
        None,
        {"a": [1]},
        9,
    )


@pytest.mark.parametrize(
    "told",
    ["", "-1", "1.5", "\u00b2", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 10, "9" * 4301],
    ids=["nothing", "negative", "fraction", "no digit", "date", "centuries", "beyond int()"],
)
def test_a_time_to_come_back_that_makes_no_sense_is_none(http: BoundedHttp, told: str) -> None:
    with server(answer(503, {}, **{"Retry-After": told})) as url:
        assert get(http, url) == Response(503)


def test_an_answer_does_not_show_its_body(http: BoundedHttp) -> None:
    with server(answer(200, {"outer": {"token": "canary"}, "list": [{"token": "canary"}]})) as url:
        found = get(http, url)
    assert (
        "canary" not in f"{found!r} {found.body!r} {found.body['outer']!r} {found.body['list']!r}"
    )


def test_an_answer_without_content_has_an_empty_body(http: BoundedHttp) -> None:
    with server(raw(b"HTTP/1.1 204 No Content\r\n\r\n")) as url:
        assert get(http, url) == Response(204)


@pytest.mark.parametrize(
    "content", [b"<html>", b'{"a": 1', b"[]", b'"text"', b"null", b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_not_a_json_object_is_garbled(http: BoundedHttp, content: bytes) -> None:
    with server(answer(200, content)) as url:
        assert get(http, url) == Response(200, Failure.GARBLED)


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (reset, Failure.CONNECTION),
        (raw(b""), Failure.CONNECTION),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), Failure.CONNECTION),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Failure.GARBLED),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"), Failure.GARBLED),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n{"), Failure.GARBLED),
    ],
)
def test_a_broken_answer_is_a_failure(http: BoundedHttp, fault: Fault, failure: Failure) -> None:
    with server(fault) as url:
        assert get(http, url) == Response(0, failure)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/path", "http://nowhere.invalid/path"])
def test_a_server_that_is_not_there_is_a_failure(http: BoundedHttp, url: str) -> None:
    assert get(http, url) == Response(0, Failure.CONNECTION)


def slowly(content: bytes, seconds: float) -> Fault:
    """Say ``content`` byte by byte."""

    def fault(link: Link) -> None:
        link.client.recv(65536)
        for byte in content:
            if link.over.wait(seconds):
                return
            link.client.sendall(bytes([byte]))

    return fault


@pytest.mark.parametrize(
    "fault",
    [
        hang,
        slowly(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0.1),
        slowly(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.005),
        slowly(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n{\r\n" * 99, 0.01),
    ],
)
def test_a_slow_answer_is_given_up_at_the_deadline(http: BoundedHttp, fault: Fault) -> None:
    start = monotonic()
    with server(fault) as url:
        found = get(http, url, 0.4)
    assert (found.status, monotonic() - start < 3) == (0, True)


def test_a_late_word_gives_no_more_time(http: BoundedHttp) -> None:
    def speak_late(link: Link) -> None:
        link.over.wait(2.4)
        link.client.sendall(b"HTTP/1.1 200 OK\r\n")
        link.over.wait()

    start = monotonic()
    with server(speak_late) as url:
        found = get(http, url, 2.5)
    assert (found.status, monotonic() - start < 2.4 + 2.5) == (0, True)


def test_past_the_deadline_nothing_is_asked(http: BoundedHttp) -> None:
    assert get(http, "http://127.0.0.1:1/path", 0.0) == Response(0, Failure.TIMEOUT)


def test_a_huge_answer_is_given_up_for_its_size(http: BoundedHttp) -> None:
    with server(answer(200, b"{" + b" " * 8_000_000 + b"}")) as url:
        assert get(http, url).failure is not None


def test_a_redirect_is_not_followed(http: BoundedHttp) -> None:
    with server(answer(200, {})) as elsewhere, server(answer(307, {}, Location=elsewhere)) as url:
        assert get(http, url) == Response(307)


def test_no_proxy_of_the_environment_is_used(
    http: BoundedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{NOWHERE}")
    with server(answer(200, {})) as url:
        assert get(http, url) == Response(200)


def test_no_cookie_is_kept(http: BoundedHttp) -> None:
    seen: list[bytes] = []

    def listen(link: Link) -> None:
        seen.append(link.client.recv(65536))
        link.client.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with server(answer(200, {}, **{"Set-Cookie": "a=b", "Connection": "close"}), listen) as url:
        get(http, url)
        get(http, url)
    assert seen
    assert b"cookie" not in seen[0].lower()
