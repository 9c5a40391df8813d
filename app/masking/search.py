"""Places where output shows values, in any way in which programs print them.

To decode all output would be slow. But letters and digits are hardly ever escaped. Wherever a value
is printed, a run of its letters and digits stands as it is, or else there is an escape of such a
character. Most output has neither, which is found out by comparing many bytes at once. In other
output one automaton finds both. Only the surroundings of what it finds (the *windows*) are decoded,
up to three times, and searched; so is the end of the output, which may have cut off a value.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from app.masking import escapes
from app.masking.automaton import Automaton, Presence, rarest_run
from app.masking.control import without_control
from app.masking.forms import printed_forms
from app.masking.needles import Found, Needles
from app.masking.reading import Reading
from app.masking.remainder import Remainder

_HEAD_BYTES = 96
"""The run of letters and digits that is looked for ends within so many bytes of a text."""

_MARGIN_BYTES = 64
_LINE_ENDS, _WHITE = b"\r\n", b" \t\r\n"
_CONTINUATION = re.compile(rb"(\\)(?=[\r\n])")
_FOLDS = Presence([b"\n ", b"\n\t", b"\r ", b"\r\t", b"\\\n", b"\\\r", b"\xc0\xc1"])
"""An indented line, or one that goes on after a backslash. The last is in no text: patterns that
begin with three different bytes would be looked for one by one."""

_ESCAPES = Presence(escapes.signs_of_plain_characters())


class Shown(NamedTuple):
    """The values that a piece of output shows.

    Attributes:
        spans: Start and stop of each, sorted by start; they may overlap.
        open_start: From where on more output may complete a value.
        likely_start: From where on it will, to judge from how much of the value is there.
    """

    spans: list[tuple[int, int]]
    open_start: int
    likely_start: int


class ValueSearch:
    """Finds values, however they are escaped, quoted and folded."""

    def __init__(self, values: Iterable[str]) -> None:
        texts = {form for value in values for form in printed_forms(value)}
        self._needles = Needles(texts)
        self._tail_bytes = _reach(min(max(map(len, texts), default=0), _HEAD_BYTES))
        runs = {text: rarest_run(text, _HEAD_BYTES) for text in texts}
        self._has_probes = all(probe for _, probe in runs.values())
        around = _probes(runs)
        self._around = list(around.values())
        self._automaton = Automaton(around)
        self._probes = Presence({probe for _, probe in runs.values() if probe})

    def scan(self, output: bytes, *, more: bool = False) -> Shown:
        """Find the values that ``output`` shows, and the one that its end may cut off.

        If ``more`` follows at once, all of the end is taken for open, since it will be scanned
        again anyway. What begins before it has its probe there.
        """
        control = without_control(output)
        text = output if control is None else control.text
        found = Found([], [])
        windows, tail = [(0, len(text))], max(0, len(text) - self._tail_bytes)
        if self._has_probes:
            windows = self._surroundings(text)
            if more:
                found.open.append((tail, False))
            else:
                windows.append((tail, len(text)))
        for start, stop in _merged(windows):
            within = self._search(text[start:stop], is_end=stop == len(text))
            found.hits.extend((start + first, start + last) for first, last in within.hits)
            found.open.extend((start + first, likely) for first, likely in within.open)
        if control is not None:
            found = _in_source(found, control)
        return Shown(
            sorted(found.hits),
            min((start for start, _ in found.open), default=len(output)),
            min((start for start, likely in found.open if likely), default=len(output)),
        )

    def _surroundings(self, text: bytes) -> list[tuple[int, int]]:
        """The surroundings of each probe, also of one that a line break divides."""
        is_folded = _FOLDS.is_possible(text)
        source = Reading(text, _CONTINUATION, lambda _: b"") if is_folded else None
        joined = Remainder(source.text, _WHITE) if source else Remainder(text, _LINE_ENDS)
        if not (self._probes.is_possible(joined.text) or _ESCAPES.is_possible(joined.text)):
            return []
        windows = []
        for number, start, _ in self._automaton.find(joined.text):
            place = joined.place(start)
            if source:
                place = source.start(place)
            left, right = self._around[number]
            windows.append((max(0, place - left), min(len(text), place + right)))
        return sorted(windows)

    def _search(self, text: bytes, *, is_end: bool) -> Found:
        """Search a window as it is, and decoded once, twice and three times."""
        found = self._needles.find(text, is_end=is_end)
        readings: list[Reading] = []
        while len(readings) < escapes.DEPTH and escapes.has_escapes(text):
            end = escapes.cut_off(text) if is_end else len(text)
            within = Found([], [(end, False)] if end < len(text) else [])
            found.open.extend(_in_first_source(within, readings).open)
            readings.append(escapes.decode(text[:end]))
            if readings[-1].is_same and end == len(text):
                break
            text = readings[-1].text
            within = _in_first_source(self._needles.find(text, is_end=is_end), readings)
            found.hits.extend(within.hits)
            found.open.extend(within.open)
        return found


def _merged(windows: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield windows, sorted by their start, so that they do not overlap."""
    first, last = windows[0] if windows else (0, 0)
    for start, stop in windows[1:]:
        if start > last:
            yield first, last
            first = start
        last = max(last, stop)
    if windows:
        yield first, last


def _probes(runs: Mapping[bytes, tuple[int, bytes]]) -> dict[bytes, tuple[int, int]]:
    """For each run to look for, how far a value may extend before and after it."""
    around: dict[bytes, tuple[int, int]] = {}
    for text, (start, probe) in runs.items():
        if probe:
            before, after = around.get(probe, (0, 0))
            around[probe] = max(before, _reach(start)), max(after, _reach(len(text) - start))
    longest = max(map(len, runs), default=0)
    anywhere = _reach(longest), _reach(longest)
    return around | dict.fromkeys(escapes.of_plain_characters(), anywhere)


def _reach(length: int) -> int:
    """Return how far something of this length may extend, however it is printed."""
    return escapes.LONGEST_FACTOR * length + _MARGIN_BYTES


def _in_source(found: Found, reading: Reading) -> Found:
    return Found(
        [(reading.start(start), reading.stop(stop)) for start, stop in found.hits],
        [(reading.start(start), likely) for start, likely in found.open],
    )


def _in_first_source(found: Found, readings: list[Reading]) -> Found:
    for reading in reversed(readings):
        found = _in_source(found, reading)
    return found
