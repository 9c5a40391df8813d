"""Masking: no value comes through, whatever its form and however the output is cut."""

import base64
import json
import re
import struct
from collections.abc import Callable
from itertools import accumulate, pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.masking.forms import is_long_enough
from app.masking.masker import MASK, Masker
from app.masking.search import ValueSearch

VALUE = "canary+secret/v4lue?&<>=é~"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n"


def masked(output: bytes, *values: str) -> bytes:
    masker = Masker(ValueSearch(values))
    return masker.feed(output) + masker.finish()


def masked_in_pieces(pieces: list[bytes], *values: str) -> bytes:
    masker = Masker(ValueSearch(values))
    return b"".join(map(masker.feed, pieces)) + masker.finish()


def test_output_without_values_is_unchanged() -> None:
    output = bytes(range(256)) * 500 + b"\r\n\n\r" + "täxt".encode()
    assert masked(output, VALUE, KEY) == output


def test_an_end_is_searched_where_no_more_follows_after_all() -> None:
    masker = Masker(ValueSearch([VALUE]))
    begun = VALUE[:-2].encode()
    assert masker.feed(b"x" * 100 + begun, more=True) + masker.release() == b"x" * 100
    assert masker.finish() == MASK


def test_a_value_is_replaced_at_any_place() -> None:
    output = f"{VALUE} and x{VALUE}y\n{VALUE}".encode()
    assert masked(output, VALUE) == MASK + b" and x" + MASK + b"y\n" + MASK


FORMS = {
    "plain": VALUE,
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(VALUE.encode()).decode(),
    "URL": quote(VALUE, safe=""),
    "URL in lower case": quote(VALUE, safe="").replace("%2B", "%2b").replace("%C3%A9", "%c3%a9")
    .replace("%2F", "%2f").replace("%3F", "%3f").replace("%3C", "%3c").replace("%3E", "%3e")
    .replace("%3D", "%3d"),
    "URL path": quote(VALUE),
    "URL query": quote_plus(VALUE),
    "JSON": json.dumps(VALUE),
    "JSON in UTF-8": json.dumps(VALUE, ensure_ascii=False),
    "JSON in upper case": json.dumps(VALUE).replace("\\u00e9", "\\u00E9"),
    "JSON by Go": json.dumps(VALUE, ensure_ascii=False)
    .replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    "JSON by PHP": json.dumps(VALUE).replace("/", "\\/"),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_a_value_is_replaced(form: str) -> None:
    left = masked(f"before {form} after".encode(), VALUE)
    assert left.replace(b'"', b"").rstrip(b"=") in {
        b"before " + MASK + end for end in (b" after", b"= after", b"== after")
    }


WORDS = "a*b!c d~e/f'g&h+i"
TABLE = "two\nlines\tof \u2028 <words> & 'quotes' 🗝"
MIXED = {
    "URL by Java": (WORDS, "a*b%21c+d%7Ee%2Ff%27g%26h%2Bi"),
    "URL by JavaScript": (WORDS, "a*b!c%20d~e%2Ff'g%26h%2Bi"),
    "URL of both cases": (VALUE, quote(VALUE, safe="").replace("%2F", "%2f").replace("%C3", "%c3")),
    "URL twice": (VALUE, quote(quote(VALUE, safe=""), safe="")),
    "JSON by .NET": (WORDS, r"a*b!c d~e/f\u0027g\u0026h\u002Bi"),
    "JSON by PHP and Go": (VALUE, json.dumps(VALUE).replace("/", r"\/").replace("&", r"\u0026")),
    "JSON by Go": (TABLE, r"two\nlines\tof \u2028 \u003cwords\u003e \u0026 'quotes' 🗝"),
    "JSON numbers": (TABLE, json.dumps(TABLE).replace(r"\n", r"\u000A").replace(r"\t", r"\u0009")),
    "JSON in JSON": (TABLE, json.dumps(json.dumps(TABLE))),
    "JSON in a URL": (TABLE, quote(json.dumps(TABLE))),
    "JSON in JSON in a form": (TABLE, quote_plus(json.dumps(json.dumps(TABLE)))),
    "JSON of what looks like a URL": ('ab%41"cd\\u0041', json.dumps('ab%41"cd\\u0041')),
    "base64 in a URL": (VALUE, quote(base64.b64encode(VALUE.encode()), safe="")),
    "base64 in JSON by PHP": (VALUE, base64.b64encode(VALUE.encode()).decode().replace("/", r"\/")),
}  # fmt: skip


@pytest.mark.parametrize(("value", "form"), MIXED.values(), ids=MIXED)
def test_every_mixture_of_forms_is_replaced(value: str, form: str) -> None:
    left = once_masked(masked(f"<{form}>".encode(), value))
    assert re.fullmatch(rb'<(["\\]|%22|%5C)*\[masked\](%3D|=|["\\]|%22|%5C)*>', left)


ENCODERS: list[Callable[[str], str]] = [
    lambda character: character,
    lambda character: quote(character, safe=""),
    lambda character: quote(character, safe="").lower(),
    lambda character: json.dumps(character)[1:-1],
    lambda character: "".join(
        f"\\u{unit:04X}" for (unit,) in struct.iter_unpack("<H", character.encode("utf-16-le"))
    ),
]
MUST_ENCODE = {"%": ENCODERS[1:3], "\\": ENCODERS[1:]}


@given(
    value=st.text('ab1 /+%\\"é🗝\n', min_size=6, max_size=24).filter(
        lambda value: is_long_enough(value) and value == value.strip("\n")
    ),
    data=st.data(),
)
def test_a_value_is_replaced_with_any_encoding_of_each_character(
    value: str, data: st.DataObject
) -> None:
    encoded = [
        data.draw(st.sampled_from(MUST_ENCODE.get(character, ENCODERS)))(character)
        for character in value
    ]
    output = f"<{''.join(encoded)}>".encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(output)), max_size=4)))
    pieces = [output[start:end] for start, end in pairwise([0, *cuts, len(output)])]
    assert once_masked(masked_in_pieces(pieces, value)) == b"<" + MASK + b">"


@given(
    output=st.text('%\\u0d8cD/"n41\n ', max_size=60).map(str.encode),
    sizes=st.lists(st.integers(0, 20), max_size=8),
)
def test_text_that_looks_like_escapes_is_unchanged(output: bytes, sizes: list[int]) -> None:
    cuts = sorted(min(size, len(output)) for size in accumulate(sizes))
    pieces = [output[start:end] for start, end in pairwise([0, *cuts, len(output)])]
    assert masked_in_pieces(pieces, "nothing of it") == output


def test_a_value_among_few_escapes_in_much_output_is_replaced() -> None:
    padding = b"some text " * 1000
    output = padding + b"%20 " + padding + quote(VALUE).encode() + padding
    expected = padding + b"%20 " + padding + MASK + padding
    assert masked(output, VALUE) == expected


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"usr", b"user:"])
@pytest.mark.parametrize("after", [b"", b"x", b"xy", b"xyz"])
def test_base64_of_more_than_the_value_is_replaced(before: bytes, after: bytes) -> None:
    """But for the edges, where a character also holds up to 4 bits of the value's neighbour."""
    encoded = base64.b64encode(before + VALUE.encode() + after)
    left = masked(encoded, VALUE).replace(b"=", b"")
    head, tail = left.split(MASK)
    assert len(head) <= -(-len(before) * 8 // 6)
    assert len(tail) <= -(-len(after) * 8 // 6) + (1 if after else 0)


def test_a_key_of_several_lines_is_replaced_as_a_terminal_prints_it() -> None:
    output = b"key: " + KEY.replace("\n", "\r\n").encode() + b"done"
    assert masked(output, KEY) == b"key: " + MASK + b"\r\ndone"


def test_the_lines_of_a_key_are_replaced_when_a_program_indents_them() -> None:
    output = "".join(f"  {line}\n" for line in KEY.splitlines()).encode()
    assert masked(output, KEY) == b"  " + MASK + b"\n"


def test_the_lines_of_a_value_are_replaced_without_their_indentation() -> None:
    value = "users:\n    alice: canary-hello\n"
    assert masked(b"alice: canary-hello\n", value) == MASK + b"\n"


def test_a_short_value_of_two_lines_is_replaced() -> None:
    assert masked(b"a pass\r\nword b", "pass\nword") == b"a " + MASK + b" b"


@pytest.mark.parametrize("width", [64, 76])
def test_base64_wrapped_into_lines_is_replaced(width: int) -> None:
    encoded = base64.b64encode((KEY * 3).encode()).decode()
    lines = [encoded[i : i + width] for i in range(0, len(encoded), width)]
    left = masked("\r\n".join(lines).encode(), KEY * 3)
    assert left.replace(MASK, b"").strip(b"=\r\n") == b""


@pytest.mark.parametrize(
    "fold",
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"\n    ",
        b"\r\n\t ",
        b"\r  ",
        b"\\\n",
        b"\\\r\n",
        b"\\\r\n  ",
    ],
)
def test_a_value_that_is_folded_anywhere_is_replaced(fold: bytes) -> None:
    value, around = b"canary0hello1world2", b"ordinary output\r\n" * 200
    for at in range(1, len(value)):
        output = around + value[:at] + fold + value[at:] + around
        assert masked(output, value.decode()) == around + MASK + around


def test_a_value_printed_without_its_last_line_end_is_replaced() -> None:
    assert masked(b"[hunter22]", "hunter22\n") == b"[" + MASK + b"]"


def test_values_that_overlap_are_both_replaced() -> None:
    assert masked(b"<abcdXYZefgh>", "abcdXYZ", "XYZefgh") == b"<" + MASK + b">"


def test_a_value_that_is_a_prefix_of_another_hides_all_of_it() -> None:
    left = masked_in_pieces([b"<abcd", b"efgh>"], "abcd", "abcdefgh")
    assert left.replace(MASK, b"") == b"<>"


def test_output_before_a_value_waits_if_a_longer_value_may_include_it() -> None:
    masker = Masker(ValueSearch(["bcde", "abcdef"]))
    assert masker.feed(b"abcde") == b""
    assert masker.feed(b"f") == MASK


def test_withheld_output_before_a_value_is_shown_and_the_value_is_masked() -> None:
    masker = Masker(ValueSearch(["bcde", "abcdef"]))
    assert masker.feed(b"abcde") + masker.release() == b"a" + MASK


def test_digits_in_separate_lines_are_not_taken_for_a_value() -> None:
    assert masked(b"12\n34\n", "1234") == b"12\n34\n"
    assert masked(b'"12\\n34%0A"', "1234") == b'"12\\n34%0A"'


def test_values_of_less_than_4_bytes_stay() -> None:
    assert masked(b"123 and 1234", "123", "1234") == b"123 and " + MASK


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_a_value_in_pieces_is_replaced(size: int) -> None:
    output = f"<{VALUE}>{VALUE}<{KEY}>".encode()
    pieces = [output[i : i + size] for i in range(0, len(output), size)]
    left = masked_in_pieces(pieces, VALUE, KEY)
    assert left.replace(MASK, b"").replace(b"\n", b"") == b"<><>"


VALUES = st.lists(
    st.text("ab\n", min_size=4, max_size=24).filter(is_long_enough), min_size=1, max_size=4
)


OTHERS = [f"{number:016}" for number in range(40)]


@given(values=VALUES, output=st.text("ab\r\n", max_size=200))
def test_a_value_is_found_beside_any_number_of_other_needles(
    values: list[str], output: str
) -> None:
    among_others = ValueSearch([*values, *OTHERS]).scan(output.encode())
    assert ValueSearch(values).scan(output.encode()).spans == among_others.spans


@given(values=VALUES, output=st.text("ab\r\n", max_size=200), data=st.data())
def test_output_in_pieces_is_masked_like_the_whole(
    values: list[str], output: str, data: st.DataObject
) -> None:
    """But that a mask may be printed twice where a longer value follows a shorter one."""
    whole = output.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])]
    once = once_masked(masked_in_pieces(pieces, *values))
    assert once == once_masked(masked(whole, *values))


def once_masked(output: bytes) -> bytes:
    while MASK + MASK in output:
        output = output.replace(MASK + MASK, MASK)
    return output


@given(values=VALUES, output=st.lists(st.text("ab \n"), max_size=20), data=st.data())
def test_no_value_is_ever_printed(
    values: list[str], output: list[str], data: st.DataObject
) -> None:
    """Values strewn among text of the same letters, in pieces."""
    strewn = "".join(text + data.draw(st.sampled_from(values)) for text in output).encode()
    cut = data.draw(st.integers(0, len(strewn)))
    left = masked_in_pieces([strewn[:cut], strewn[cut:]], *values)
    assert not [value for value in values if value.encode() in left]


def test_the_possible_beginning_of_a_value_is_withheld_for_a_while_only() -> None:
    masker = Masker(ValueSearch(["hunter22"]))
    assert masker.feed(b"say hun") == b"say "
    assert masker.patience() == 0.05
    assert masker.feed(b"te") == b""
    assert masker.patience() == 1.0
    assert masker.release() == b"hunte"
    assert masker.patience() is None


def test_the_rest_of_a_value_is_replaced_after_its_beginning_was_released() -> None:
    masker = Masker(ValueSearch(["hunter22"]))
    masker.feed(b"hunt")
    masker.release()
    assert masker.feed(b"er22!") == MASK + b"!"


def test_released_output_is_not_printed_twice() -> None:
    masker = Masker(ValueSearch(["hunter22"]))
    masker.feed(b"hunt")
    masker.release()
    assert masker.feed(b"ing") == b"ing"


@pytest.mark.parametrize(
    ("value", "shown"), [("hunter22", 5), ("canary-hello-world-12345", 11), ("x" + "y" * 99, 15)]
)
def test_the_likely_beginning_of_a_value_waits_for_more_output(value: str, shown: int) -> None:
    """From half of the value on; 6 bytes at least, and 16 of a long one."""
    masker = Masker(ValueSearch([value]))
    assert masker.feed(value[:shown].encode()) + masker.release() == value[:shown].encode()
    assert masker.feed(value[shown:-1].encode()) + masker.release() == b""
    assert masker.patience() is None
    assert masker.feed(b"!") == value[shown:-1].encode() + b"!"


def test_the_likely_beginning_of_a_value_is_masked_at_the_end() -> None:
    masker = Masker(ValueSearch(["canary-hello"]))
    assert masker.feed(b"say canary-hell") + masker.release() == b"say "
    assert masker.finish() == MASK
    assert masker.feed(b" and more") == b" and more"


def test_the_rest_of_a_value_is_replaced_after_its_beginning_was() -> None:
    masker = Masker(ValueSearch(["canary-hello"]))
    assert masker.feed(b"canary-hell") + masker.finish() == MASK
    assert masker.feed(b"o!") == MASK + b"!"


def test_a_line_that_likely_begins_a_value_is_masked_at_its_end() -> None:
    masker = Masker(ValueSearch(["canary-hello-world"]))
    assert masker.feed(b"canary-hello-wor\r\n") + masker.finish() == MASK + b"\r\n"


def test_the_line_end_after_a_whole_value_is_shown() -> None:
    """Also where the value that goes on after it is a longer one."""
    masker = Masker(ValueSearch([KEY]))
    line = KEY.splitlines()[1].encode()
    assert masker.feed(line + b"\r\n") + masker.release() == MASK + b"\r\n"


def test_line_ends_are_shown_at_once() -> None:
    masker = Masker(ValueSearch(["hunter22", "canary-hello-world"]))
    assert masker.feed(b"with\r\n") == b"with\r\n"
    masker.feed(b"nautic\r\n")
    assert masker.patience() == 0.0
