"""Find where output shows values, in any of their printed forms."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from app.masking.byte_search import ByteSearch
from app.masking.escapes import Unescaped, has_escapes
from app.masking.folding import LINE_ENDS, fold, squeeze
from app.masking.forms import printed_forms

_BREAKABLE_BYTES = 16
_SOME_BYTES, _MANY_BYTES = 6, 16
_DEPTH = 3  # JSON in a string of JSON in a URL


class Shown(NamedTuple):
    """The places of values in a piece of output.

    Attributes:
        spans: Start and end of each, sorted by start; they may overlap.
        open_start: The place from which on more output may complete a value.
        likely_start: The place from which on it probably will: much of the value is there.
    """

    spans: list[tuple[int, int]]
    open_start: int
    likely_start: int


class _Hit(NamedTuple):
    start: int
    stop: int
    one_line: bool  # it is none if there is a line end in it


class _CutOff(NamedTuple):
    start: int
    one_line: bool
    likely: bool


class _Found(NamedTuple):
    """The values in a text, those that its end may have cut off, and its decoded readings."""

    hits: list[_Hit]
    cut_off: list[_CutOff]
    readings: list[Unescaped]  # each is of the one before


class ValueSearch:
    r"""Finds values whatever line ends are in them, and however they are escaped.

    Terminals turn ``\n`` into ``\r\n``, and base64 is wrapped. But forms of less than 16 bytes
    without line ends of their own are only found in one line, or lines of 12 and 34 would be
    taken for 1234.

    Encoders differ in what they escape, and how. So what they print is decoded, and what comes
    out is searched for the same forms.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in printed_forms(value)}
        broken = {fold(form) for form in forms if squeeze(form) != form.strip(LINE_ENDS)}
        needles = {fold(form) for form in forms}
        self._one_line = {each for each in needles - broken if len(each) < _BREAKABLE_BYTES}
        self._reach = max(map(len, needles), default=0)
        self._search = ByteSearch(needles)

    def scan(self, output: bytes) -> Shown:
        """Find the values that ``output`` shows, and the one that its end may cut off."""
        text = fold(output)
        found = self._find(text, _DEPTH)
        open_start, likely_start = _ends(output, text, found)
        return Shown(_spans(output, found.hits), open_start, likely_start)

    def _find(self, text: bytes, depth: int) -> _Found:
        found = self._find_as_it_is(text)
        if not depth or not has_escapes(text):
            return found
        reading = Unescaped(text, self._reach)
        if reading.same:
            return found
        decoded = self._find(reading.text, depth - 1)
        return _Found(
            found.hits + _original_hits(decoded.hits, reading),
            found.cut_off + _original_cut_off(decoded.cut_off, reading, text),
            [reading, *decoded.readings],
        )

    def _find_as_it_is(self, text: bytes) -> _Found:
        spans, cut_off = self._search.scan(text)
        hits = [_Hit(start, stop, text[start:stop] in self._one_line) for start, stop in spans]
        earliest: dict[tuple[int, bool, bool], _CutOff] = {}
        for start, needle in cut_off:
            one_line, likely = needle in self._one_line, _is_likely(len(text) - start, needle)
            key = (start if one_line else 0, one_line, likely)
            earliest.setdefault(key, _CutOff(start, one_line, likely))
        return _Found(hits, list(earliest.values()), [])


def _is_likely(count: int, needle: bytes) -> bool:
    """Return True if ``count`` bytes are half of the needle and at least 6, or at least 16."""
    return count >= min(max(_SOME_BYTES, len(needle) // 2), _MANY_BYTES)


def _original_hits(hits: Iterable[_Hit], reading: Unescaped) -> list[_Hit]:
    return [
        _Hit(reading.origin(start)[0], reading.origin(stop - 1)[1], one_line)
        for start, stop, one_line in hits
        if not one_line or reading.is_one_line(start, stop)
    ]


def _original_cut_off(
    cut_off: Iterable[_CutOff], reading: Unescaped, source: bytes
) -> list[_CutOff]:
    original = [
        _CutOff(reading.origin(start)[0], one_line, likely)
        for start, one_line, likely in cut_off
        if not one_line or reading.is_one_line(start, len(reading.text))
    ]
    if reading.cut_at < len(source):
        original.append(_CutOff(reading.cut_at, one_line=False, likely=False))
    return original


def _spans(output: bytes, hits: Sequence[_Hit]) -> list[tuple[int, int]]:
    if not hits:
        return []
    place = _places(output)
    spans = [(place(hit.start), place(hit.stop - 1) + 1, hit.one_line) for hit in hits]
    return sorted(
        (start, stop)
        for start, stop, one_line in spans
        if not one_line or _is_one_line(output[start:stop])
    )


def _ends(output: bytes, text: bytes, found: _Found) -> tuple[int, int]:
    """Return the place from which on the output may cut off a value, and the likely one."""
    open_start = likely_start = len(text)
    for start, one_line, likely in found.cut_off:
        if not one_line or _is_one_line(output[_start_of_last(len(text) - start, output) :]):
            open_start = min(open_start, start)
            likely_start = min(likely_start, start if likely else len(text))
    open_start = _outside_escapes(open_start, found.readings)
    starts = (_start_of_last(len(text) - start, output) for start in (open_start, likely_start))
    return next(starts), next(starts)


def _outside_escapes(place: int, readings: Sequence[Unescaped]) -> int:
    """The same place, or where an escape around it begins, so that it is read so again."""
    if not readings:
        return place
    decoded = _outside_escapes(readings[0].place(place), readings[1:])
    return min(place, readings[0].origin(decoded)[0])


def _is_one_line(text: bytes) -> bool:
    return squeeze(text) == text


def _start_of_last(count: int, output: bytes) -> int:
    """Return the place where the last ``count`` bytes begin, line ends not counted."""
    size = count
    while missing := count - len(squeeze(output[len(output) - size :])):
        size += missing
    return len(output) - size


def _places(output: bytes) -> Callable[[int], int]:
    """Return a function from places in the squeezed output to places in the output."""
    line_ends = [found.start() for found in re.finditer(rb"[\r\n]", output)]
    before = [place - number for number, place in enumerate(line_ends)]
    return lambda place: place + bisect_right(before, place)
