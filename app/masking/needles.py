"""Many texts looked for at once, whatever quotes, backslashes and white space stand between.

Shells join quoted pieces, formats put backslashes before quotes, programs fold lines and indent
them. All of that is left out on both sides: of the texts to find (the *needles*), and of the
output. What remains is compared byte by byte. Of each needle a rare piece (its *probe*) is looked
for by one automaton for all. Where the probe stands, the needles that have it there are compared
whole. So the work grows with the output, and not with the number of needles.

A short needle would be found by chance. So the output must also spell it.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.masking.automaton import Automaton, rarest_run
from app.masking.remainder import Remainder
from app.masking.spelling import DROPPED, Spelling, reduce

_LONG_BYTES = 16
"""From so many on a needle is not found by chance."""

_MIN_BYTES = 4
"""Of what remains. A text with less is found by its spelling alone."""

_HEAD_BYTES = 64
_PROBE_BYTES = 8
_FIRST_BYTES = 4
_SOME_BYTES, _MANY_BYTES = 6, 16
_EDGE_BYTES = 256
_LINE_END = re.compile(rb"[\r\n]")


class Found(NamedTuple):
    """The needles that an output shows.

    Attributes:
        hits: Start and stop of each; they may overlap.
        open: For each that the end of the output may have cut off, its start, and whether that is
            likely, to judge from how much of it is there.
    """

    hits: list[tuple[int, int]]
    open: list[tuple[int, bool]]


class Needles:
    """The needles of one search."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        spellings: dict[bytes, list[Spelling]] = defaultdict(list)
        for text in sorted(set(texts)):
            spellings[reduce(text)].append(Spelling(text))
        everyone = [each for group in spellings.values() for each in group]
        self._leads = bytes({byte for each in everyone for byte in each.lead})
        short = [text for text in spellings if len(text) < _MIN_BYTES]
        self._dropped = [each for text in short for each in spellings.pop(text)]
        self._needles = sorted(spellings)
        self._spellings = [spellings[each] for each in self._needles]
        self._prefixes = _prefixes(self._needles)
        sizes = range(1, _FIRST_BYTES)
        self._lasts = {each[:size] for each in self._needles for size in sizes}
        self._firsts = Automaton({each[:_FIRST_BYTES] for each in self._needles})
        self._longest = max(map(len, self._needles), default=0)
        offsets: dict[bytes, set[int]] = defaultdict(set)
        for each in self._needles:
            offset, probe = _probe(each)
            offsets[probe].add(offset)
        self._offsets = list(offsets.values())
        self._automaton = Automaton(offsets)

    def find(self, output: bytes, *, is_end: bool) -> Found:
        """Find the needles in output; at its end also those that may go on after it."""
        view = Remainder(output, DROPPED)
        found = Found([], [])
        starts = self._starts(view.text)
        for start in sorted(starts):
            found.hits.extend(self._hits(view, start))
        if is_end:
            for start in starts.union(self._beginnings(view.text)):
                found.open.extend(self._open(view, start))
        for spelling in self._dropped:
            found.hits.extend(spelling.places(output))
            if is_end and (begun := spelling.beginning(output)):
                found.open.append((begun[0], _is_likely(begun[1], len(spelling))))
        if is_end and self._leads:
            end = output[-_EDGE_BYTES:]
            if lead := len(end) - len(end.rstrip(self._leads + b"\\")):
                found.open.append((len(output) - lead, False))
        return found

    def _starts(self, text: bytes) -> set[int]:
        """Return where a needle may start, by its probe."""
        return {
            place - offset
            for number, place, _ in self._automaton.find(text)
            for offset in self._offsets[number]
            if place >= offset
        }

    def _beginnings(self, text: bytes) -> list[int]:
        """Return where near the end a needle may start whose probe is not there yet."""
        first = max(0, len(text) - _HEAD_BYTES - _PROBE_BYTES)
        starts = [first + start for _, start, _ in self._firsts.find(text[first:])]
        last = max(first, len(text) - _FIRST_BYTES + 1)
        return starts + [start for start in range(last, len(text)) if text[start:] in self._lasts]

    def _hits(self, view: Remainder, start: int) -> list[tuple[int, int]]:
        """Return the longest needle that starts here, by each of its spellings.

        Of all needles that a text begins with, the longest is the last one before it in order, or
        one that this one begins with.
        """
        rest = view.text[start : start + self._longest + 1]
        number = bisect_right(self._needles, rest) - 1
        while number >= 0:
            needle = self._needles[number]
            if rest.startswith(needle):
                first, last = view.place(start), view.place(start + len(needle) - 1) + 1
                hits = [
                    each.extend(view.output, first, last)
                    for each in self._spellings[number]
                    if len(needle) >= _LONG_BYTES or each.fits(view.output, first, last)
                ]
                if hits:
                    return hits
            number = self._prefixes[number]
        return []

    def _open(self, view: Remainder, start: int) -> Iterator[tuple[int, bool]]:
        """Yield the needles that begin with all that the text has from here on."""
        rest = view.text[start : start + self._longest + 1]
        if start + len(rest) < len(view.text):
            return
        number = bisect_left(self._needles, rest)
        if number == len(self._needles) or not self._needles[number].startswith(rest):
            return
        place = view.place(start)
        while number < len(self._needles) and self._needles[number].startswith(rest):
            needle, spellings = self._needles[number], self._spellings[number]
            first = min(each.extend(view.output, place, len(view.output))[0] for each in spellings)
            if needle == rest:
                if any(each.trail for each in spellings):
                    yield first, False
            elif (
                len(needle) >= _LONG_BYTES
                or any(each.has_white for each in spellings)
                or not _LINE_END.search(view.output, place)
            ):
                yield first, _is_likely(len(rest), len(needle))
            number += 1


def _prefixes(needles: list[bytes]) -> list[int]:
    """For each needle, the number of the longest other that it begins with, or -1."""
    numbers: list[int] = []
    for number, needle in enumerate(needles):
        other = number - 1
        while other >= 0 and not needle.startswith(needles[other]):
            other = numbers[other]
        numbers.append(other)
    return numbers


def _probe(needle: bytes) -> tuple[int, bytes]:
    """Return where a rare piece is, and the piece: of letters and digits, if there are enough."""
    start, run = rarest_run(needle, _HEAD_BYTES + _PROBE_BYTES)
    return (start, run) if len(run) >= _MIN_BYTES else (0, needle[:_PROBE_BYTES])


def _is_likely(count: int, length: int) -> bool:
    """Return whether so many bytes are half of it, but no less than some; many are enough."""
    return count >= min(max(_SOME_BYTES, length // 2), _MANY_BYTES)
