"""Masking of pieces that others follow at once, whose ends wait for them."""

import json
import sys
from itertools import accumulate, pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.masking.masker import MASK, Masker
from app.masking.search import ValueSearch

VALUE = "a-b.c!d/e,f;g:h@i=j+canary0hello"  # a long run of letters comes late in it
LINE = b"GET /v1/items 200 served in 12.7 ms\r\n"
FORMS = {
    "plain": VALUE,
    "URL": quote(VALUE, safe=""),
    "JSON": json.dumps(VALUE).replace("/", r"\/"),
    "all URL escapes": "".join(f"%{ord(character):02X}" for character in VALUE),
    "all numbers": "".join(rf"\u{ord(character):04x}" for character in VALUE),
    "numbers twice": "".join(rf"\\u{ord(character):04x}" for character in VALUE),
    "folded": VALUE.replace("canary", "can\r\nary"),
    "continued": VALUE.replace("canary", "can\\\r\n  ary"),
    "coloured": VALUE.replace("canary", "can\x1b[31mary\x1b[0m"),
}


def masked(pieces: list[bytes], *values: str) -> bytes:
    masker = Masker(ValueSearch(values))
    shown = [masker.feed(piece, more=True) for piece in pieces[:-1]]
    return b"".join([*shown, masker.feed(pieces[-1]), masker.finish()])


def once(output: bytes) -> bytes:
    while MASK + MASK in output:
        output = output.replace(MASK + MASK, MASK)
    return output


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_value_is_replaced_wherever_it_stands_in_a_followed_piece(form: str) -> None:
    """Also where the end that waits begins in it."""
    output = LINE * 60 + form.encode() + LINE * 60
    expected = LINE * 60 + (b'"' + MASK + b'"' if form.startswith('"') else MASK) + LINE * 60
    start = len(LINE) * 60
    for end in range(start - 10, start + 450 + len(form)):
        assert once(masked([output[:end], output[end:]], VALUE)) == expected


@given(
    texts=st.lists(st.text("ab \n", max_size=30), min_size=1, max_size=8),
    values=st.lists(
        st.text("ab\n", min_size=4, max_size=12).filter(lambda each: len(each.strip()) > 3),
        min_size=1,
        max_size=3,
    ),
    data=st.data(),
)
def test_followed_pieces_are_masked_like_the_whole(
    texts: list[str], values: list[str], data: st.DataObject
) -> None:
    parts = [text + data.draw(st.sampled_from(values)) + ". " * 100 for text in texts]
    output = "".join(parts).encode()
    sizes = data.draw(st.lists(st.integers(100, 800), max_size=6))
    cuts = sorted(min(size, len(output)) for size in accumulate(sizes))
    pieces = [output[start:end] for start, end in pairwise([0, *cuts, len(output)])]
    assert once(masked(pieces, *values)) == once(masked([output], *values))


def test_only_the_end_of_a_followed_piece_waits() -> None:
    masker = Masker(ValueSearch([VALUE]))
    shown = masker.feed(LINE * 100, more=True)
    assert len(LINE) * 95 > len(shown) > len(LINE) * 50
    assert shown + masker.feed(b"next: ") == LINE * 100 + b"next: "


def test_the_end_of_a_followed_piece_takes_few_steps() -> None:
    masker = Masker(ValueSearch([f"{number}-canary-hello-world" for number in range(50)]))
    piece = b'{"level": "info", "message": "GET /a%20b 200 \\"client\\" served"}\r\n' * 250
    masker.feed(piece, more=True)
    steps = 0

    def profile(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(profile)
    masker.feed(piece, more=True)
    sys.setprofile(None)
    assert steps < 300
