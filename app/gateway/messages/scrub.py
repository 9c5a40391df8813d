"""Answers without the credential: some upstreams echo what they were sent.

Text is searched by ``app.masking``, which finds a value however it is escaped or folded, and its
place is taken by ``[masked]``. Other bytes are searched for the exact forms of a value, and a hit
is overwritten by asterisks, so that lengths stay. Nothing waits but a tail that may begin a value,
and only while it is likely to: an event of a stream passes at once.

This is a second wall. An upstream that returns a value in a form of its own passes it.
"""

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import Protocol
from urllib.parse import quote, quote_plus

from app.domain.redaction import Redacted
from app.masking.forms import printed_forms
from app.masking.masker import Masker
from app.masking.search import ValueSearch

ECHO_BYTES = 64 * 1024
"""A refusal up to this size is searched for the ends of a credential, too."""

_TELLING_BYTES = 4
_SHORT_PATIENCE_SECONDS = 0.05
_LONG_PATIENCE_SECONDS = 1.0
_MIN_ECHO_BYTES, _MAX_ECHO_BYTES = 2, 64
_MAX_COVERS = 200
_BLOT = "•".encode()
_COVER = re.compile(rb"(?:\*|\.|\xe2\x80\xa2|\xe2\x80\xa6|\\u2022|\\u2026|[xX]){3,}|\xe2\x80\xa6")
_TEXT_TYPES = re.compile(
    r"text/.*|application/(?:[^;]*\+)?(?:json|xml)|application/(?:x-)?(?:ndjson|javascript|"
    r"jsonlines|yaml|graphql|www-form-urlencoded|json-seq|json5)"
)
_EVENTS = "text/event-stream"
_END_OF_EVENT = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Scrubber(Protocol):
    """One stream without the values of a search."""

    @property
    def hits(self) -> int:
        """The number of values that were found."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece. Returns what can go on now."""

    def release(self) -> bytes:
        """Return what is held back and is not likely to begin a value: the stream pauses."""

    def finish(self) -> bytes:
        """Return the rest: the stream has ended."""

    def patience(self) -> float | None:
        """Return the seconds of silence before `release` is due; ``None`` if nothing waits."""


class Search:
    """The values that the answers to one token must not show.

    Attributes:
        needles: The values.
    """

    def __init__(self, needles: tuple[Redacted, ...]) -> None:
        self.needles = needles
        texts = [each.reveal() for each in needles]
        self._forms = sorted({form for text in texts for form in exact_forms(text)}, key=len)
        self._forms.reverse()
        self._values = ValueSearch(texts)
        self._texts = [text.encode(errors="replace") for text in texts]

    def scrubber(self, content_type: str) -> Scrubber:
        """Return a scrubber for a body of this type."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind == _EVENTS:
            return EventScrubber(self._values)
        return TextScrubber(self._values) if is_text(content_type) else ByteScrubber(self._forms)

    def scrub(self, text: str) -> tuple[str, int]:
        """Return a short text without the values, and how many were found."""
        scrubber = TextScrubber(self._values)
        data = text.encode("latin-1", errors="replace")
        clean = scrubber.feed(data) + scrubber.finish()
        return (clean.decode("latin-1"), scrubber.hits) if scrubber.hits else (text, 0)

    def scrub_message(self, data: bytes, *, is_text: bool) -> tuple[bytes, int]:
        """Return one whole message without the values, and how many were found."""
        scrubber = TextScrubber(self._values) if is_text else ByteScrubber(self._forms)
        clean = scrubber.feed(data) + scrubber.finish()
        return (clean, scrubber.hits) if scrubber.hits else (data, 0)

    def blot_echoes(self, body: bytes) -> bytes:
        """Return a refusal without the first and last characters of a value around its cover.

        Upstreams name a wrong key by its ends, as ``sk-ab***********wxyz``.
        """
        for text in self._texts:
            body = _blot(body, text)
        return body


class TextScrubber:
    """A stream of text."""

    def __init__(self, values: ValueSearch) -> None:
        self._masker = Masker(values)

    @property
    def hits(self) -> int:
        """The number of values that were found."""
        return self._masker.hits

    def feed(self, data: bytes) -> bytes:
        """Take a piece. Returns what can go on now."""
        return self._masker.feed(data)

    def release(self) -> bytes:
        """Return what is held back and is not likely to begin a value."""
        return self._masker.release()

    def finish(self) -> bytes:
        """Return the rest; the beginning of a value at its end is masked."""
        return self._masker.finish()

    def patience(self) -> float | None:
        """Return the seconds of silence before `release` is due."""
        return self._masker.patience()


class EventScrubber(TextScrubber):
    """A stream of events: no event waits for the next one."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece. Returns what can go on now, and all of it at the end of an event."""
        shown = super().feed(data)
        return shown + self.release() if data.endswith(_END_OF_EVENT) else shown


class ByteScrubber:
    """A stream of any bytes: exact forms only, overwritten in place."""

    def __init__(self, forms: Sequence[bytes]) -> None:
        self.hits = 0
        self._forms = forms
        self._begun = {form[:2] for form in forms} | {form[:1] for form in forms}
        self._longest = max(map(len, forms), default=0)
        self._pending = bytearray()
        self._shown = 0

    def feed(self, data: bytes) -> bytes:
        """Take a piece. Returns what can go on now."""
        self._pending += data
        for form in self._forms:
            self._overwrite(form)
        return self._show(len(self._pending) - self._open())

    def release(self) -> bytes:
        """Return what is held back. If a value goes on after it, its rest is still overwritten."""
        waits = len(self._pending) - self._shown
        return b"" if waits >= _TELLING_BYTES else bytes(self._take_shown(len(self._pending)))

    def finish(self) -> bytes:
        """Return the rest."""
        return bytes(self._take_shown(len(self._pending)))

    def patience(self) -> float | None:
        """Return the seconds of silence before `release` is due."""
        waits = len(self._pending) - self._shown
        return _SHORT_PATIENCE_SECONDS if 0 < waits < _TELLING_BYTES else None

    def _overwrite(self, form: bytes) -> None:
        place = self._pending.find(form)
        while place >= 0:
            self.hits += 1
            self._pending[place : place + len(form)] = b"*" * len(form)
            place = self._pending.find(form, place + len(form))

    def _open(self) -> int:
        """Return the length of the longest end that may begin a form."""
        tail = bytes(self._pending[-(self._longest - 1) :]) if self._longest > 1 else b""
        for start in range(len(tail)):
            end = tail[start:]
            if end[:2] in self._begun and any(form.startswith(end) for form in self._forms):
                return len(end)
        return 0

    def _show(self, end: int) -> bytes:
        shown = bytes(self._take_shown(end))
        del self._pending[:end]
        self._shown = max(0, self._shown - end)
        return shown

    def _take_shown(self, end: int) -> bytearray:
        taken = self._pending[self._shown : end]
        self._shown = max(self._shown, end)
        return taken


def search_for(needles: tuple[Redacted, ...]) -> Search:
    """Build the search for values."""
    return Search(needles)


def is_text(content_type: str) -> bool:
    """Return True if a body of this type is read as text; one without a type is."""
    kind = content_type.partition(";")[0].strip().lower()
    return not kind or _TEXT_TYPES.fullmatch(kind) is not None


def exact_forms(value: str) -> set[bytes]:
    """List the exact bytes that show a value: raw, base64, and escaped for URLs and JSON."""
    forms = printed_forms(value)
    if not forms:
        return set()
    encoded = quote(value, safe="", errors="replace")
    forms |= {each.encode() for each in (encoded, _lower(encoded), quote(value, errors="replace"))}
    forms.add(quote_plus(value, errors="replace").encode())
    for is_ascii in (True, False):
        escaped = json.dumps(value, ensure_ascii=is_ascii)[1:-1]
        forms |= {each.encode(errors="replace") for each in (escaped, escaped.replace("/", "\\/"))}
    return forms


def _lower(encoded: str) -> str:
    return re.sub("%..", lambda escape: escape[0].lower(), encoded)


def _blot(body: bytes, value: bytes) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for cover in islice(_COVER.finditer(body), _MAX_COVERS):
        start, stop = cover.span()
        lengths = range(min(len(value) - 1, _MAX_ECHO_BYTES), 0, -1)
        first = next((n for n in lengths if body.endswith(value[:n], at, start)), 0)
        last = next((n for n in lengths if body.startswith(value[-n:], stop)), 0)
        if max(first, last) >= _MIN_ECHO_BYTES:
            pieces += [body[at : start - first], _BLOT * 3]
            at = stop + last
    return b"".join([*pieces, body[at:]])
