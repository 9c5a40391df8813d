"""Text without some of its bytes, and the way back to it."""

from bisect import bisect_right
from functools import cache, cached_property
from itertools import accumulate, compress

_PART_BYTES = 256
_NEAR_BYTES = 32


class Remainder:
    """The bytes of an output that remain when some are left out.

    The way back goes by parts of the output: how much remains of each is counted once, and the
    bytes that remain are numbered only in the parts that are asked about.

    Attributes:
        output: As it is.
        text: What remains of it.
    """

    def __init__(self, output: bytes, dropped: bytes) -> None:
        """Leave out of the output each of the bytes in ``dropped``."""
        self.output = output
        self.text = output.translate(None, dropped)
        self._dropped = dropped
        self._places: dict[int, list[int]] = {}

    def place(self, place: int) -> int:
        """Return where in the output stands what the text has at a place."""
        remaining = len(self.text) - place
        if remaining <= _NEAR_BYTES:  # most questions are about what the end may have cut off
            end = len(self.output.rstrip(self._dropped))
            if self.output.endswith(self.text[place:], 0, end):  # then nothing is left out there
                return end - remaining
        number = bisect_right(self._before, place) - 1
        if number not in self._places:
            start = number * _PART_BYTES
            part = self.output[start : start + _PART_BYTES].translate(_remains(self._dropped))
            self._places[number] = list(compress(range(start, start + len(part)), part))
        return self._places[number][place - self._before[number]]

    @cached_property
    def _before(self) -> list[int]:
        """The bytes of the text before each part."""
        starts = range(0, len(self.output), _PART_BYTES)
        parts = (self.output[start : start + _PART_BYTES] for start in starts)
        counts = (len(part.translate(None, self._dropped)) for part in parts)
        return list(accumulate(counts, initial=0))[:-1]


@cache
def _remains(dropped: bytes) -> bytes:
    """Return a table for `bytes.translate`: 1 for a byte that remains, else 0."""
    return bytes(byte not in dropped for byte in range(256))
