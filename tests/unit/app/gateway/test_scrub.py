"""Answers without the credential, in every form and however a stream is cut."""

import base64
import json
import re
from urllib.parse import quote

import pytest

from app.domain.redaction import Redacted
from app.gateway.messages.scrub import Scrubber, Search

_SECRET = "sk-live-4eC39HqLyjWDarjtT1zdp7dc/+=9"
_BASIC = "user:p4ssw0rd-long/enough+for~all"
_SEARCH = Search((Redacted(_SECRET), Redacted(_BASIC)))

_FORMS = {
    "raw": _SECRET,
    "bearer": f"Bearer {_SECRET}",
    "json": json.dumps(_SECRET)[1:-1],
    "json with slashes": _SECRET.replace("/", "\\/"),
    "url": quote(_SECRET, safe=""),
    "url in lower case": re.sub("%..", lambda escape: escape[0].lower(), quote(_SECRET, safe="")),
    "base64": base64.b64encode(_SECRET.encode()).decode(),
    "base64 after 1": base64.b64encode(b"a" + _SECRET.encode() + b"b").decode(),
    "base64 after 2": base64.b64encode(b"ab" + _SECRET.encode() + b"c").decode(),
    "base64 for URLs": base64.urlsafe_b64encode(_SECRET.encode()).decode().rstrip("="),
    "basic": base64.b64encode(_BASIC.encode()).decode(),
}
_KINDS = ["text/plain", "application/json", "text/event-stream", "application/octet-stream"]


def _through(scrubber: Scrubber, *pieces: bytes) -> bytes:
    return b"".join([*(scrubber.feed(each) for each in pieces), scrubber.finish()])


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("form", _FORMS.values(), ids=_FORMS.keys())
def test_a_form_is_found_wherever_a_stream_is_cut(form: str, kind: str) -> None:
    whole = b'{"before": "' + form.encode() + b'", "after": 1}\n'
    for cut in range(len(whole) + 1):
        scrubber = _SEARCH.scrubber(kind)
        shown = _through(scrubber, whole[:cut], whole[cut:])
        assert form.encode() not in shown
        assert scrubber.hits >= 1
        assert shown.startswith(b'{"before": "')
        assert shown.endswith(b'", "after": 1}\n')


@pytest.mark.parametrize("kind", _KINDS)
def test_a_value_is_found_that_comes_byte_by_byte(kind: str) -> None:
    whole = b"x" * 50 + _SECRET.encode() + b"y" * 50
    shown = _through(_SEARCH.scrubber(kind), *(bytes([each]) for each in whole))
    assert _SECRET.encode() not in shown


@pytest.mark.parametrize("kind", _KINDS)
def test_what_holds_no_value_passes_unchanged(kind: str) -> None:
    whole = b'{"text": "sk-live is the prefix, sk-l another", "n": [1, 2]}\n\n' * 40
    assert _through(_SEARCH.scrubber(kind), whole[:1000], whole[1000:]) == whole


def test_bytes_keep_their_length() -> None:
    whole = bytes(range(256)) + _SECRET.encode() + bytes(range(256))
    scrubber = _SEARCH.scrubber("application/octet-stream")
    shown = _through(scrubber, whole)
    assert shown == whole.replace(_SECRET.encode(), b"*" * len(_SECRET))


def test_the_rest_of_a_value_is_overwritten_though_its_beginning_was_shown() -> None:
    scrubber = _SEARCH.scrubber("application/octet-stream")
    assert scrubber.feed(b"abc" + _SECRET[:2].encode()) == b"abc"
    assert scrubber.patience() is not None
    assert scrubber.release() == _SECRET[:2].encode()
    assert scrubber.patience() is None
    rest = scrubber.feed(_SECRET[2:].encode() + b"def")
    assert rest == b"*" * (len(_SECRET) - 2) + b"def"


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"delta": "Hello"}\n\n',
        b"data: sk-\n\n",
        b'event: x\ndata: {"a": "sk-live-4"}\n\n',
        b"data: s\r\n\r\n",
        b": keep alive\n\n",
        b"data: [DONE]\n\n",
    ],
)
def test_an_event_passes_at_once(event: bytes) -> None:
    scrubber = _SEARCH.scrubber("text/event-stream; charset=utf-8")
    for _ in range(20):
        assert scrubber.feed(event) == event


def test_many_events_in_a_row_are_not_held_back() -> None:
    scrubber = _SEARCH.scrubber("text/event-stream")
    for number in range(200):
        event = f'data: {{"number": {number}, "text": "{"word " * (number % 17)}"}}\n\n'.encode()
        assert scrubber.feed(event) == event


@pytest.mark.parametrize("cover", ["*****", "...", "•••", "…", "xxxx", "\\u2022\\u2022\\u2022"])
def test_the_ends_of_a_value_around_a_cover_are_blotted_out(cover: str) -> None:
    body = (
        f'{{"error": "Incorrect API key provided: {_SECRET[:8]}{cover}{_SECRET[-4:]}."}}'.encode()
    )
    shown = _SEARCH.blot_echoes(body)
    assert _SECRET[:3].encode() not in shown
    assert _SECRET[-4:].encode() not in shown
    assert shown.startswith(b'{"error": "Incorrect API key provided: ')
    assert shown.endswith(b'."}')


def test_other_dots_stay() -> None:
    body = b'{"error": "wait ... then try again ***"}'
    assert _SEARCH.blot_echoes(body) == body


def test_a_short_text_of_a_header_is_scrubbed() -> None:
    assert _SEARCH.scrub(f"a; key={_SECRET}") == ("a; key=[masked]", 1)
    assert _SEARCH.scrub("max-age=60") == ("max-age=60", 0)


def test_a_search_does_not_print_its_values() -> None:
    assert _SECRET not in repr(_SEARCH) + repr(vars(_SEARCH)["needles"])
