"""A fast look at output, which must never miss what masking would have found."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.masking import escapes
from app.masking.automaton import Presence
from app.masking.masker import MASK, Masker
from app.masking.search import ValueSearch

PATTERNS = [bytes(letters) for letters in product(b"abcdefgh", repeat=3)]
LINE = b"GET /v1/items 200 served in 12.7 ms\r\n"


@given(
    patterns=st.lists(st.text("abz%", min_size=2, max_size=4), max_size=70),
    text=st.text("abz%\n", max_size=90),
)
def test_every_text_that_has_a_pattern_is_noticed(patterns: list[str], text: str) -> None:
    presence = Presence(each.encode() for each in patterns)
    assert presence.is_possible(text.encode()) == any(each in text for each in patterns)


@pytest.mark.parametrize("count", [1, 64, 65, len(PATTERNS)])
def test_each_of_many_patterns_is_noticed(count: int) -> None:
    presence = Presence(PATTERNS[:count])
    assert not presence.is_possible(b"-" * 100)
    assert all(presence.is_possible(b"-" * 50 + each + b"-" * 50) for each in PATTERNS[:count])


def test_too_many_patterns_are_possible_everywhere() -> None:
    assert Presence([*PATTERNS, b"one more"]).is_possible(b"")


def test_every_escape_of_a_letter_has_a_sign() -> None:
    signs = Presence(escapes.signs_of_plain_characters())
    assert all(signs.is_possible(each) for each in escapes.of_plain_characters())
    assert not signs.is_possible(rb'{"path": "/a%20b%2F", "text": "caf\"\n"}')


def test_each_of_very_many_values_is_replaced() -> None:
    values = [f"{number:04}canary-hello" for number in range(600)]
    masker = Masker(ValueSearch(values))
    output = b"".join(LINE + each.encode() + b"\r\n" for each in values)
    shown = masker.feed(output) + masker.finish()
    assert shown == (LINE + MASK + b"\r\n") * len(values)
