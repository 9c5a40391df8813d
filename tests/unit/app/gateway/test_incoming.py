"""Requests that the gateway does not carry: nothing of them reaches an upstream or the API."""

import json
import re
from collections.abc import Mapping

import pytest

from tests.support.gateway.api import CONFIG, CREDENTIAL, OTHER_TOKEN, TOKEN
from tests.support.gateway.rig import Rig

_AUTHORIZED = f"Authorization: Bearer {TOKEN}\r\n"
_SMUGGLED = f"GET /{CONFIG}/smuggled HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n{_AUTHORIZED}\r\n"
_CHUNKED = "Transfer-Encoding: chunked\r\n"
_LINE = f"POST /{CONFIG}/v1 HTTP/1.1\r\nHost: gw\r\n{_AUTHORIZED}"

_TARGETS: Mapping[str, tuple[str, str]] = {
    "absolute form": (f"http://evil.example/{CONFIG}/v1", "bad_request"),
    "absolute form of us": (f"http://gw/{CONFIG}/v1", "bad_request"),
    "https absolute form": (f"https://evil.example:443/{CONFIG}/v1", "bad_request"),
    "user info": (f"@evil.example/{CONFIG}/v1", "bad_request"),
    "asterisk": ("*", "bad_request"),
    "two slashes": (f"//evil.example/{CONFIG}/v1", "config_missing"),
    "no config": ("/v1/messages", "config_missing"),
    "root": ("/", "config_missing"),
    "encoded id": (f"/%67wc_{CONFIG[4:]}/v1", "config_missing"),
    "config in the middle": (f"/x/{CONFIG}/v1", "config_missing"),
    "dots before the config": (f"/../{CONFIG}/v1", "config_missing"),
    "dots": (f"/{CONFIG}/../admin", "ambiguous_path"),
    "encoded dots": (f"/{CONFIG}/%2e%2e/admin", "ambiguous_path"),
    "dots encoded twice": (f"/{CONFIG}/%252e%252e/admin", "ambiguous_path"),
    "encoded slash and dots": (f"/{CONFIG}/v1%2f..%2fadmin", "ambiguous_path"),
    "backslash": (f"/{CONFIG}\\..\\admin", "config_missing"),
    "backslash in the path": (f"/{CONFIG}/v1\\admin", "ambiguous_path"),
    "encoded line end": (f"/{CONFIG}/v1%0d%0aHost:%20evil", "ambiguous_path"),
    "null": (f"/{CONFIG}/v1%00", "ambiguous_path"),
    "broken escape": (f"/{CONFIG}/v1%zz", "ambiguous_path"),
    "token in the path": (f"/{CONFIG}/{TOKEN}", "token_in_url"),
    "token in the query": (f"/{CONFIG}/v1?key={TOKEN}", "token_in_url"),
    "escaped token in the query": (f"/{CONFIG}/v1?key=%67ws_x", "token_in_url"),
    "token escaped twice": (f"/{CONFIG}/v1?key=gws%255fx", "token_in_url"),
    "token in capitals": (f"/{CONFIG}/v1?key=GWS_x", "token_in_url"),
}
_AMBIGUOUS = {
    "both lengths": f"{_LINE}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"{_LINE}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "two equal lengths": f"{_LINE}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "list of lengths": f"{_LINE}Content-Length: 4, 4\r\n\r\nabcd",
    "signed length": f"{_LINE}Content-Length: +4\r\n\r\nabcd",
    "hexadecimal length": f"{_LINE}Content-Length: 0x4\r\n\r\nabcd",
    "unknown coding": f"{_LINE}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding after chunked": f"{_LINE}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": f"{_LINE}{_CHUNKED}{_CHUNKED}\r\n0\r\n\r\n",
    "tab before chunked": f"{_LINE}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "blank before the colon": f"{_LINE}Content-Length : 4\r\n\r\nabcd",
    "folded header": f"{_LINE}X-A: b\r\n Content-Length: 4\r\n\r\nabcd",
    "bare line feed": f"{_LINE}X-A: b\nContent-Length: 4\r\n\r\nabcd",
    "bare carriage return": f"{_LINE}X-A: b\rContent-Length: 4\r\n\r\nabcd",
    "null in a value": f"{_LINE}X-A: b\x00c\r\n\r\n",
    "control in a name": f"{_LINE}X\x01A: b\r\n\r\n",
    "empty name": f"{_LINE}: b\r\n\r\n",
    "two hosts": f"{_LINE}Host: evil.example\r\n\r\n",
    "no host": f"GET /{CONFIG}/v1 HTTP/1.1\r\n{_AUTHORIZED}\r\n",
    "underscore in a name": f"{_LINE}X_Api_Key: mine\r\n\r\n",
    "underscore in a length": f"{_LINE}Content_Length: 4\r\n\r\nabcd",
    "chunk of no number": f"{_LINE}Transfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
    "chunk with a sign": f"{_LINE}Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n",
    "chunk without an end": f"{_LINE}Transfer-Encoding: chunked\r\n\r\n4\r\nabcdX\r\n0\r\n\r\n",
    "long line": f"GET /{CONFIG}/{'a' * 9000} HTTP/1.1\r\nHost: gw\r\n{_AUTHORIZED}\r\n",
    "long header": f"{_LINE}X-A: {'a' * 9000}\r\n\r\n",
    "many headers": _LINE + "".join(f"X-{n}: a\r\n" for n in range(200)) + "\r\n",
    "other version": f"GET /{CONFIG}/v1 HTTP/3.7\r\nHost: gw\r\n{_AUTHORIZED}\r\n",
    "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}
_UPGRADES = {
    "h2c": "GET|Upgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: AAMAAABk\r\n",
    "other protocol": "GET|Upgrade: tcp\r\nConnection: upgrade\r\n",
    "with a length": "GET|Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 4\r\n",
    "with chunks": f"GET|Upgrade: websocket\r\nConnection: Upgrade\r\n{_CHUNKED}",
    "by POST": "POST|Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "without a protocol": "GET|Connection: Upgrade\r\n",
}


def _code(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"x-strongroom-gateway: refused" in head
    return str(json.loads(body)["code"])


@pytest.mark.parametrize(("target", "code"), _TARGETS.values(), ids=_TARGETS.keys())
def test_a_target_that_leads_elsewhere_is_refused(running: Rig, target: str, code: str) -> None:
    answer = running.raw(f"GET {target} HTTP/1.1\r\nHost: gw\r\n{_AUTHORIZED}\r\n".encode())
    assert _code(answer) == code
    assert not running.api.asked
    assert not running.upstream.requests


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:1", "gw@evil.example", "169.254.169.254"]
)
def test_the_host_that_a_client_names_steers_nothing(running: Rig, host: str) -> None:
    running.call(headers={"Host": host, "X-Forwarded-Host": host, "Forwarded": f"host={host}"})
    (received,) = running.upstream.requests
    assert received.all("Host") == [f"127.0.0.1:{running.upstream.port}"]
    assert b"evil.example" not in running.upstream.raw


@pytest.mark.parametrize("request_", _AMBIGUOUS.values(), ids=_AMBIGUOUS.keys())
def test_a_request_with_two_readings_reaches_no_upstream(running: Rig, request_: str) -> None:
    answer = running.raw((request_ + _SMUGGLED).encode("latin-1"))
    assert re.match(rb"HTTP/1\.[01] 4", answer)
    assert not any(each.target == "/smuggled" for each in running.upstream.requests)
    assert not any(each.body for each in running.upstream.requests)


@pytest.mark.parametrize("upgrade", _UPGRADES.values(), ids=_UPGRADES.keys())
def test_only_a_websocket_without_a_body_is_an_upgrade(running: Rig, upgrade: str) -> None:
    method, _, fields = upgrade.partition("|")
    fields += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    line = f"{method} /{CONFIG}/v1 HTTP/1.1\r\nHost: gw\r\n{_AUTHORIZED}"
    answer = running.raw(f"{line}{fields}\r\n{_SMUGGLED}".encode())
    assert _code(answer) in {"upgrade_refused", "bad_request"}
    assert not running.upstream.requests


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_a_method_that_reflects_or_tunnels_is_refused(running: Rig, method: str) -> None:
    target = f"/{CONFIG}/v1" if method == "TRACE" else "evil.example:443"
    answer = running.raw(f"{method} {target} HTTP/1.1\r\nHost: gw\r\n{_AUTHORIZED}\r\n".encode())
    assert re.match(rb"HTTP/1\.[01] 4", answer)
    assert not running.upstream.requests


def test_an_expectation_other_than_continue_is_refused(running: Rig) -> None:
    reply = running.call("POST", headers={"Expect": "200-ok"}, body=b"x")
    assert (reply.status, reply.code) == (417, "expectation_failed")
    assert not running.api.asked


def test_a_request_without_a_token_is_challenged_as_git_wants_it(running: Rig) -> None:
    reply = running.call(token=None)
    assert (reply.status, reply.code) == (401, "gateway_token_missing")
    schemes = [each.split(" ")[0] for each in reply.headers.get_all("WWW-Authenticate", [])]
    assert schemes == ["Basic", "Bearer"]
    assert not running.api.asked


def test_two_tokens_are_refused(running: Rig) -> None:
    reply = running.call(headers={"x-api-key": OTHER_TOKEN})
    assert (reply.status, reply.code) == (400, "ambiguous_token")
    assert not running.upstream.requests


def test_one_token_in_two_places_is_one_token(running: Rig) -> None:
    assert running.call(headers={"x-api-key": TOKEN}).status == 200


def test_a_refusal_can_be_read_by_every_client(running: Rig) -> None:
    running.api.refusal = (
        403,
        {"code": "request_not_allowed", "message": "Ask for it.", "request_id": "req_1"},
        {},
    )
    reply = running.call()
    assert reply.status == 403
    assert json.loads(reply.body) == {
        "code": "request_not_allowed",
        "message": "Ask for it.",
        "request_id": "req_1",
        "error": {
            "type": "request_not_allowed",
            "code": "request_not_allowed",
            "message": "Ask for it.",
        },
    }
    assert reply.headers["x-should-retry"] == "false"
    assert reply.headers["x-request-id"] == "req_1"


def test_a_refusal_that_passes_says_when_to_come_back(running: Rig) -> None:
    body = {"code": "rate_limited", "message": "Too many.", "request_id": "req_1"}
    running.api.refusal = (429, body, {"Retry-After": "7"})
    reply = running.call()
    assert (reply.status, reply.code) == (429, "rate_limited")
    assert (reply.headers["Retry-After"], reply.headers["x-should-retry"]) == ("7", "true")


@pytest.mark.parametrize("code", ["gateway_key_refused", "not_found"])
def test_a_fault_between_gateway_and_api_is_no_fault_of_the_agent(running: Rig, code: str) -> None:
    running.api.refusal = (401, {"code": code, "message": "internal"}, {})
    reply = running.call()
    assert (reply.status, reply.code) == (503, "admission_unavailable")
    assert b"internal" not in reply.body


def test_a_refused_request_sends_nothing(running: Rig) -> None:
    """Even if the answer holds all that an admission does."""
    admitted = running.api.answer | {"use": "gwu_1", "token": "gwt_1", "config": CONFIG}
    refused = admitted | {"code": "gateway_config_changed", "message": "m"}
    running.api.refusal = (403, refused, {})
    assert running.call("POST", body=b"x").code == "gateway_config_changed"
    assert not running.upstream.requests
    assert CREDENTIAL.encode() not in running.upstream.raw
