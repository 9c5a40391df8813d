"""The headers that reach an upstream and a client, whatever the other side sends."""

import base64
import http.client
import re
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gateway.api import CREDENTIAL, OTHER_TOKEN, TOKEN
from tests.support.gateway.recorder import Connection, Received
from tests.support.gateway.rig import Rig


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


_PLACES: Mapping[str, Mapping[str, str]] = {
    "bearer": {"Authorization": f"Bearer {TOKEN}"},
    "bearer in capitals": {"authorization": f"BEARER {TOKEN}"},
    "token": {"Authorization": f"token {TOKEN}"},
    "bare": {"Authorization": TOKEN},
    "basic password": {"Authorization": _basic(f"x-access-token:{TOKEN}")},
    "basic user": {"Authorization": _basic(f"{TOKEN}:")},
    "x-api-key": {"x-api-key": TOKEN},
    "api-key": {"api-key": TOKEN},
    "x-goog-api-key": {"x-goog-api-key": TOKEN},
    "PRIVATE-TOKEN": {"PRIVATE-TOKEN": TOKEN},
    "header of the config": {"X-Custom-Credential": TOKEN},
    "bearer in a custom header": {"X-Custom-Credential": f"Bearer {TOKEN}"},
}
_OWN_KEYS = {
    "x-api-key": "mine",
    "X-Api-Key": "mine",
    "api-key": "mine",
    "x-goog-api-key": "mine",
    "PRIVATE-TOKEN": "mine",
    "Cookie": "session=mine",
    "X-Amz-Security-Token": "mine",
    "DD-API-KEY": "mine",
    "X-Auth-Token": "mine",
    "Proxy-Authorization": "Basic mine",
}
_MISLEADING = {
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Host": "mine",
    "Forwarded": "host=mine",
    "X-Real-IP": "10.0.0.1",
    "X-HTTP-Method-Override": "DELETE",
    "X-Method-Override": "DELETE",
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "X-Strongroom-Gateway": "mine",
    "TE": "trailers",
    "Keep-Alive": "timeout=5",
    "Max-Forwards": "1",
}


@pytest.mark.parametrize("place", _PLACES.values(), ids=_PLACES.keys())
def test_a_token_is_found_where_a_client_puts_it_and_goes_no_further(
    running: Rig, place: Mapping[str, str]
) -> None:
    assert running.call("POST", headers=place, body=b"x", token=None).status == 200
    assert running.api.asked[0]["token"] == TOKEN
    assert b"gws_" not in running.upstream.raw
    assert base64.b64encode(TOKEN.encode())[:20] not in running.upstream.raw
    (received,) = running.upstream.requests
    assert received.all("Authorization") == [f"Bearer {CREDENTIAL}"]


@pytest.mark.parametrize(
    "value", [f"note {OTHER_TOKEN}", OTHER_TOKEN[:60], "gws%5F" + "A" * 22, f"a={TOKEN};b"]
)
def test_a_token_elsewhere_in_a_header_takes_the_header_with_it(running: Rig, value: str) -> None:
    assert running.call(headers={"X-Note": value, "X-Other": "stays"}).status == 200
    (received,) = running.upstream.requests
    assert received.all("X-Note") == []
    assert received.all("X-Other") == ["stays"]


def test_a_token_in_a_body_is_overwritten(running: Rig) -> None:
    body = f'{{"env": "A={TOKEN}\\nB={OTHER_TOKEN}"}}'.encode()
    running.call("POST", body=body)
    (received,) = running.upstream.requests
    assert received.body == re.sub(rb"gws_[0-9A-Za-z_]{95}", b"*" * 99, body)


@pytest.mark.parametrize("name", _OWN_KEYS)
def test_a_key_of_the_agents_own_does_not_pass(running: Rig, name: str) -> None:
    running.api.admit_to(running.upstream.port, set=[["x-api-key", CREDENTIAL]])
    assert running.call(headers={name: _OWN_KEYS[name]}).status == 200
    (received,) = running.upstream.requests
    assert b"mine" not in received.head
    assert received.all("x-api-key") == [CREDENTIAL]
    assert received.all("Authorization") == []


def test_a_header_that_the_config_sets_replaces_those_of_the_client(running: Rig) -> None:
    set_ = [["X-Custom", CREDENTIAL], ["anthropic-version", "2023-06-01"]]
    running.api.admit_to(running.upstream.port, set=set_)
    line = f"GET /{running.config}/v1 HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
    theirs = "X-Custom: a\r\nX-CUSTOM: b\r\nAnthropic-Version: c\r\n"
    running.raw(f"{line}Authorization: Bearer {TOKEN}\r\n{theirs}\r\n".encode())
    (received,) = running.upstream.requests
    assert received.all("X-Custom") == [CREDENTIAL]
    assert received.all("anthropic-version") == ["2023-06-01"]


def test_a_second_authorization_does_not_pass(running: Rig) -> None:
    running.api.admit_to(running.upstream.port)
    line = f"GET /{running.config}/v1 HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
    first, second = f"Authorization: Bearer {TOKEN}\r\n", "Authorization: Bearer mine\r\n"
    running.raw(f"{line}{first}{second}\r\n".encode())
    (received,) = running.upstream.requests
    assert received.all("Authorization") == [f"Bearer {CREDENTIAL}"]


@pytest.mark.parametrize("name", _MISLEADING)
def test_a_header_that_misleads_the_upstream_does_not_pass(running: Rig, name: str) -> None:
    running.call(headers={name: _MISLEADING[name]})
    (received,) = running.upstream.requests
    assert received.all(name) == []


def test_a_header_that_connection_names_does_not_pass(running: Rig) -> None:
    running.call(headers={"Connection": "close, X-Hop", "X-Hop": "mine", "X-End": "stays"})
    (received,) = running.upstream.requests
    assert received.all("X-Hop") == []
    assert received.all("X-End") == ["stays"]


def test_other_headers_pass_as_they_are(running: Rig) -> None:
    sent = {
        "Content-Type": "application/json",
        "anthropic-version": "2023-06-01",
        "User-Agent": "sdk/1.0",
        "Accept": "text/event-stream",
        "Range": "bytes=0-5",
        "X-Stainless-Retry-Count": "0",
    }
    running.call("POST", headers=sent, body=b"{}")
    (received,) = running.upstream.requests
    assert {name: received.all(name) for name in sent} == {
        name: [value] for name, value in sent.items()
    }


def test_nothing_is_added_that_names_the_gateways_software(running: Rig) -> None:
    running.call()
    (received,) = running.upstream.requests
    names = {name.lower() for name, _ in received.headers}
    assert names == {"host", "authorization", "accept-encoding", "via"}
    assert received.all("Accept-Encoding") == ["identity"]


@pytest.mark.parametrize("via", ["Bearer mine", "1.1 mine\tmine", "mine", "1.1 a (mine)"])
def test_a_via_that_is_none_does_not_pass(running: Rig, via: str) -> None:
    running.call(headers={"Via": f"1.0 fred, {via}, HTTP/1.1 proxy.example:8080"})
    (sent,) = running.upstream.requests[0].all("Via")
    assert sent.startswith("1.0 fred, HTTP/1.1 proxy.example:8080, 1.1 strongroom-")
    assert "mine" not in sent


_names = st.sampled_from(
    [
        "Authorization",
        "AUTHORIZATION",
        "authorization",
        "Proxy-Authorization",
        "x-api-key",
        "X-Token",
        "Connection",
        "Cookie",
        "Host",
        "Via",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "X-Forwarded-Authorization",
        "X-Note",
    ]
)
_values = st.one_of(
    st.sampled_from(
        [
            f"Bearer {TOKEN}",
            f"Bearer {OTHER_TOKEN}",
            TOKEN,
            f"x {TOKEN} y",
            "authorization",
            "close, authorization",
            _basic(f"{TOKEN}:x"),
            "Bearer mine",
            "chunked",
            "5",
        ]
    ),
    st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
)
_paths = st.one_of(
    st.sampled_from([f"/v1?k={TOKEN}", f"/{TOKEN}", "/v1/../x", "/v1//x", "/v1?a=b"]),
    st.text(alphabet="abc/%2eE.?&=;gws_", max_size=20).map(lambda text: f"/{text}"),
)
_bodies = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([TOKEN.encode(), b"a" + TOKEN.encode() + b"gws_", OTHER_TOKEN.encode() * 2]),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(_names, _values), max_size=6), _paths, _bodies, st.booleans())
def test_whatever_is_sent_the_upstream_sees_our_credential_once_and_no_token(
    running: Rig, headers: list[tuple[str, str]], path: str, body: bytes, chunked: bool
) -> None:
    running.upstream.clear()
    framing = (
        f"Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        if chunked and body
        else f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    given_ = "".join(f"{name}: {value}\r\n" for name, value in headers)
    line = f"POST /{running.config}{path} HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
    running.raw(f"{line}Authorization: Bearer {TOKEN}\r\n{given_}".encode() + framing)
    assert b"gws_" + b"A" * 22 not in running.upstream.raw
    for received in running.upstream.requests:
        theirs = {name.lower() for name, value in received.headers if "mine" in value}
        assert theirs <= {"x-note", "x-token"}
        assert received.all("Authorization") == [f"Bearer {CREDENTIAL}"]
        assert received.head.count(CREDENTIAL.encode()) == 1


_DROPPED = [
    "Set-Cookie: a=b",
    "Alt-Svc: h3=':443'",
    "Strict-Transport-Security: max-age=1",
    "Clear-Site-Data: *",
    "NEL: {}",
    "Report-To: {}",
    "Refresh: 0; url=http://evil.example",
    "Service-Worker-Allowed: /",
    "Content-Security-Policy: default-src *",
    "X-Strongroom-Gateway: refused",
    "X_Odd: a",
    "Proxy-Authenticate: Basic",
    "Keep-Alive: timeout=5",
    "Trailer: X-After",
]


@pytest.mark.parametrize("line", _DROPPED)
def test_a_header_that_would_act_on_our_host_does_not_pass(running: Rig, line: str) -> None:
    headers = _answered(running, f"{line}\r\nX-Stays: yes\r\n")
    name, _, value = line.partition(": ")
    assert value not in headers.get_all(name, [])
    assert headers["X-Stays"] == "yes"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_the_reason_of_an_upstream_does_not_pass(running: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(f"HTTP/1.1 200 {CREDENTIAL}\r\nContent-Length: 0\r\n\r\n".encode())

    running.upstream.answer = answer
    line = f"GET /{running.config}/v1 HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
    assert CREDENTIAL.encode() not in running.raw(
        f"{line}Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    )


def test_an_informational_answer_and_trailers_do_not_pass(running: Rig) -> None:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
            + f"X-Echo: {CREDENTIAL}\r\n\r\n".encode()
        )

    running.upstream.answer = answer
    line = f"GET /{running.config}/v1 HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
    answered = running.raw(f"{line}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert answered.startswith(b"HTTP/1.1 200 OK")
    assert answered.endswith(b"2\r\nhi\r\n0\r\n\r\n")


def _answered(running: Rig, lines: str) -> http.client.HTTPMessage:
    async def answer(connection: Connection, _: Received) -> None:
        await connection.send(f"HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n".encode())

    running.upstream.answer = answer
    return running.call().headers
