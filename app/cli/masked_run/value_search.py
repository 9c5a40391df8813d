"""Find where output shows values, in any of their printed forms."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import NamedTuple

from app.cli.masked_run.byte_search import ByteSearch
from app.cli.masked_run.value_forms import printed_forms

_LINE_ENDS = b"\r\n"
_BREAKABLE_BYTES = 16
_SOME_BYTES, _MANY_BYTES = 6, 16


class Shown(NamedTuple):
    """Where a piece of output shows values.

    Attributes:
        spans: Start and end of each, sorted by start; they may overlap.
        open_start: From where on more output may complete a value.
        likely_start: From where on it will, to judge from how much of the value is there.
    """

    spans: list[tuple[int, int]]
    open_start: int
    likely_start: int


class ValueSearch:
    r"""Finds values whatever line ends are in them.

    Terminals turn ``\n`` into ``\r\n``, and base64 is wrapped. But forms of less than 16 bytes
    without line ends of their own are only found in one line, or lines of 12 and 34 would be
    taken for 1234.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values for form in printed_forms(value)}
        broken = {squeeze(form) for form in forms if squeeze(form) != form.strip(_LINE_ENDS)}
        needles = {squeeze(form) for form in forms}
        self._unbreakable = {each for each in needles - broken if len(each) < _BREAKABLE_BYTES}
        self._search = ByteSearch(needles)

    def scan(self, output: bytes) -> Shown:
        """Find the values that ``output`` shows, and the one that its end may cut off."""
        view = squeeze(output)
        found = self._search.scan(view)
        open_start, likely_start = self._ends(output, view, found.cut_off)
        if not found.spans:
            return Shown([], open_start, likely_start)
        place = _places(output)
        spans = [(place(start), place(stop - 1) + 1) for start, stop in found.spans]
        spans = [span for span in spans if self._may_be(output[slice(*span)])]
        return Shown(spans, open_start, likely_start)

    def _ends(
        self, output: bytes, view: bytes, cut_off: list[tuple[int, bytes]]
    ) -> tuple[int, int]:
        """From where on, in the output, the end may and will cut off one of these."""
        agreed = likely = 0
        for start, needle in cut_off:
            count = len(view) - start
            if self._may_go_on(needle, output[_start_of_last(count, output) :]):
                agreed = max(agreed, count)
                likely = max(likely, count if _is_likely(count, needle) else 0)
        return _start_of_last(agreed, output), _start_of_last(likely, output)

    def _may_go_on(self, needle: bytes, text: bytes) -> bool:
        return needle not in self._unbreakable or squeeze(text) == text

    def _may_be(self, text: bytes) -> bool:
        needle = squeeze(text)
        return needle == text or needle not in self._unbreakable


def _is_likely(count: int, needle: bytes) -> bool:
    """Whether so many bytes are half of it, but no less than some; many are always enough."""
    return count >= min(max(_SOME_BYTES, len(needle) // 2), _MANY_BYTES)


def squeeze(output: bytes) -> bytes:
    """The output without its line ends."""
    return output.translate(None, _LINE_ENDS)


def _start_of_last(count: int, output: bytes) -> int:
    """Where the last ``count`` bytes begin that are no line ends."""
    size = count
    while missing := count - len(squeeze(output[len(output) - size :])):
        size += missing
    return len(output) - size


def _places(output: bytes) -> Callable[[int], int]:
    """From places in the squeezed output to places in the output."""
    line_ends = [found.start() for found in re.finditer(rb"[\r\n]", output)]
    before = [place - number for number, place in enumerate(line_ends)]
    return lambda place: place + bisect_right(before, place)
