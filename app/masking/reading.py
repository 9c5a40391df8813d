"""Text with some of its parts read as something else, and the way back to its source."""

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate


class Reading:
    """A source with every match of a pattern replaced by its meaning.

    Attributes:
        text: The source as it is read.
        is_same: True if nothing was replaced.
    """

    def __init__(
        self, source: bytes, pattern: re.Pattern[bytes], meaning: Callable[[bytes], bytes]
    ) -> None:
        """Read a source.

        Args:
            source: The bytes to read.
            pattern: What to replace, as its one capturing group.
            meaning: What a match stands for.
        """
        self._length = len(source)
        self._pieces = pattern.split(source)  # plain, match, plain, …, plain
        self.is_same = len(self._pieces) == 1
        self._read = self._pieces.copy()
        self._read[1::2] = map(meaning, self._pieces[1::2])
        self.text = b"".join(self._read)

    def start(self, place: int) -> int:
        """Return where in the source begins what is read at a place of the text."""
        remaining = len(self.text) - place
        if remaining <= len(self._pieces[-1]):
            return self._length - remaining
        number = bisect_right(self._read_ends, place)
        if number % 2:
            return self._ends[number] - len(self._pieces[number])
        return self._ends[number] - (self._read_ends[number] - place)

    def stop(self, place: int) -> int:
        """Return where in the source ends what is read just before a place of the text."""
        last = place - 1
        number = bisect_right(self._read_ends, last)
        if number % 2:
            return self._ends[number]
        return self._ends[number] - (self._read_ends[number] - last) + 1

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self._pieces)))

    @cached_property
    def _read_ends(self) -> list[int]:
        return list(accumulate(map(len, self._read)))
