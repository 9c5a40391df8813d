"""A rule permits what its wildcards say, in time that nobody who writes it can stretch."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.gateways.rules import Rule, permits

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
