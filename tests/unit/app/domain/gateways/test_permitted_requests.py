"""A rule permits what its wildcards say, in time that nobody who writes it can stretch."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.gateways.rules import Rule, permits, refuses

PARTS = st.lists(st.sampled_from(["a", "b", "/", "*", "**", ".", "+"]), max_size=8)
PATHS = st.text("ab/.+", max_size=10)


def is_permitted(pattern: str, path: str) -> bool:
    return permits([Rule((), pattern)], "GET", path)


@given(PARTS, PATHS)
def test_wildcards_mean_what_a_regular_expression_says(parts: list[str], rest: str) -> None:
    pattern, path = "/" + "".join(parts), "/" + rest
    texts = {"**": ".*", "*": "[^/]*"}
    split = re.split(r"(\*\*|\*)", pattern)
    expected = re.compile("".join(texts.get(part, re.escape(part)) for part in split))
    assert is_permitted(pattern, path) == (expected.fullmatch(path) is not None)


@pytest.mark.parametrize("wildcard", ["*", "**"])
def test_many_wildcards_end_on_a_path_that_almost_matches(wildcard: str) -> None:
    """A regular expression would still be at it."""
    pattern = f"/{f'{wildcard}a' * 120}{wildcard}b"
    assert not is_permitted(pattern, "/" + "a" * 8000)


@pytest.mark.parametrize(
    ("methods", "method", "is_right"),
    [
        ((), "PURGE", True),
        (("GET",), "GET", True),
        (("GET",), "HEAD", True),
        (("HEAD",), "GET", False),
        (("POST",), "HEAD", False),
        (("GET",), "get", False),
    ],
)
def test_head_follows_get_and_nothing_else(
    methods: tuple[str, ...], method: str, *, is_right: bool
) -> None:
    assert permits([Rule(methods, "/**")], method, "/x") is is_right


def test_no_rules_permit_nothing() -> None:
    assert not permits([], "GET", "/")


def test_a_pattern_matches_whole_paths_only() -> None:
    assert not is_permitted("/v1", "/v1/x")
    assert not is_permitted("/v1/x", "/v1")
    assert is_permitted("/v1**", "/v1/x")


@pytest.mark.parametrize("rule", ["/v1/a:b@c", "/v1/a%3Ab%40c", "/v1/a%3ab@c", "/v1/*:b@*"])
@pytest.mark.parametrize("path", ["/v1/a:b@c", "/v1/a%3Ab%40c", "/v1/a:b%40c"])
def test_a_rule_is_for_a_path_in_each_of_its_spellings(rule: str, path: str) -> None:
    assert is_permitted(rule, path)
    assert refuses([Rule((), rule)], "GET", path)


def test_an_escaped_asterisk_is_no_wildcard() -> None:
    assert is_permitted("/v1/%2A", "/v1/*")
    assert not is_permitted("/v1/%2A", "/v1/a")


@pytest.mark.parametrize("path", ["/v1/a%2Fb", "/v1/a%20b", "/v1/a%C3%BC"])
def test_other_escapes_stay_as_they_are(path: str) -> None:
    assert is_permitted(path, path)
    assert not is_permitted(unquote(path), path)
