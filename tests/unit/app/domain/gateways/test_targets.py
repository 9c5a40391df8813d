"""One canonical path, whatever a client sends; what has two readings is refused."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.gateways.targets import (
    MAX_QUERY_NAMES,
    MAX_TARGET_BYTES,
    AmbiguousPath,
    parse_target,
)

_REFUSED = {
    "absolute form": "http://evil.example/v1",
    "authority": "evil.example:443",
    "asterisk": "*",
    "empty": "",
    "no slash": "v1/messages",
    "user info": "@evil.example/",
    "dot dot": "/v1/../admin",
    "dot dot at the end": "/v1/..",
    "dot": "/v1/./admin",
    "encoded dots": "/v1/%2e%2e/admin",
    "one encoded dot": "/v1/.%2E/admin",
    "dots encoded twice": "/v1/%252e%252e/admin",
    "dots encoded three times": "/v1/%25252e%25252e/admin",
    "dots with a parameter": "/v1/..;/admin",
    "dots with an encoded parameter": "/v1/..%3bx/admin",
    "dots between encoded slashes": "/v1%2f..%2fadmin",
    "dots and a blank": "/v1/..%20/admin",
    "backslash": "/v1\\..\\admin",
    "encoded backslash": "/v1/x%5cadmin",
    "backslash encoded twice": "/v1/x%255cadmin",
    "line end": "/v1/x%0d%0aHost:%20evil",
    "line end encoded twice": "/v1/x%250aadmin",
    "null": "/v1/x%00",
    "delete": "/v1/x%7f",
    "raw control": "/v1/\x01",
    "blank": "/v1/a b",
    "tab": "/v1/a\tb",
    "fragment": "/v1/x#/admin",
    "broken escape": "/v1/%zz",
    "escape cut off": "/v1/%2",
    "not ASCII": "/v1/ü",
    "quote": '/v1/"',
    "fragment in the query": "/v1?a=#",
    "blank in the query": "/v1?a= b",
    "control in the query": "/v1?a=\x7f",
    "too long": "/" + "a" * MAX_TARGET_BYTES,
    "many names": "/v1?" + "&".join(["a"] * (MAX_QUERY_NAMES + 1)),
}
_LOOSE = {
    "empty segment": "/v1//admin",
    "two slashes": "//evil.example/v1",
    "encoded slash": "/v1%2Fadmin",
    "parameter": "/v1/admin;x=1",
    "encoded parameter": "/v1/admin%3Bx",
    "encoded question mark": "/v1/admin%3Fx",
    "encoded fragment": "/v1/admin%23x",
    "encoded percent": "/v1/%2561dmin",
    "overlong slash": "/v1%C0%AFadmin",
    "not UTF-8": "/v1/%FF",
}


@pytest.mark.parametrize("target", _REFUSED.values(), ids=_REFUSED.keys())
def test_a_target_with_two_readings_is_refused(target: str) -> None:
    with pytest.raises(AmbiguousPath):
        parse_target(target)


@pytest.mark.parametrize("target", _LOOSE.values(), ids=_LOOSE.keys())
def test_a_path_that_servers_route_differently_passes_as_not_strict(target: str) -> None:
    parsed = parse_target(target)
    assert (parsed.sent, parsed.is_strict) == (target, False)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v1/%6d%65ssages", "/v1/messages"),
        ("/%7Euser/a%2Db%5F", "/~user/a-b_"),
        ("/v1/%c3%bc%20x", "/v1/%C3%BC%20x"),
        ("/v1/files/", "/v1/files/"),
        ("/", "/"),
        ("/v1beta/models/gemini:stream(a)[b]@c", "/v1beta/models/gemini:stream(a)[b]@c"),
        ("/a/...", "/a/..."),
        ("/a/.git", "/a/.git"),
    ],
)
def test_the_canonical_path_is_what_rfc_3986_calls_equal(target: str, path: str) -> None:
    parsed = parse_target(target)
    assert (parsed.path, parsed.query, parsed.is_strict) == (path, None, True)


def test_the_query_is_sent_byte_by_byte() -> None:
    query = "alt=sse&a%5B%5d=%2f+x&&b=1?&/../;c"
    parsed = parse_target(f"/v1/x?{query}")
    assert parsed.query == query
    assert parsed.sent == f"/v1/x?{query}"
    assert parsed.is_strict


def test_an_empty_query_keeps_its_question_mark() -> None:
    assert parse_target("/v1?").sent == "/v1?"


def test_names_of_the_query_are_decoded_and_listed_once() -> None:
    parsed = parse_target("/v1?%6bey=a&key=b;access%5ftoken=c&a+b&=x")
    assert parsed.query_names == ("key", "access_token", "a b")


def test_a_refusal_repeats_nothing_of_the_target() -> None:
    with pytest.raises(AmbiguousPath) as refused:
        parse_target("/canary/../x?canary=1")
    assert "canary" not in str(refused.value)


def test_a_target_does_not_print_its_query() -> None:
    assert "canary" not in repr(parse_target("/v1?key=canary"))


@given(st.text(alphabet="/.%25eEfFcCaA;\\b?&=#09ü\x00", max_size=24))
def test_parsing_the_canonical_form_changes_nothing(text: str) -> None:
    try:
        parsed = parse_target(f"/{text}")
    except AmbiguousPath:
        return
    assert parse_target(parsed.sent) == parsed


@given(st.text(alphabet="/.%25eEfFcC2;\\b", max_size=24))
def test_a_strict_path_has_the_same_segments_for_every_server(text: str) -> None:
    try:
        parsed = parse_target(f"/{text}")
    except AmbiguousPath:
        return
    if parsed.is_strict:
        decoded = unquote(parsed.path)
        assert decoded.count("/") == parsed.path.count("/")
        assert not re.search(r"//|[;\\?#]|/\.\.?(/|\Z)", decoded)
        assert unquote(decoded) == decoded
