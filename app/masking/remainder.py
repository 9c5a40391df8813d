"""Text without some of its parts, and the way back to it."""

import re
from bisect import bisect_right
from functools import cached_property


class Remainder:
    """The bytes of an output that remain when every match of a pattern is left out.

    Attributes:
        output: As it is.
        text: What remains of it.
    """

    def __init__(self, output: bytes, text: bytes, dropped: re.Pattern[bytes]) -> None:
        """Take an output and what remains of it, since `bytes.translate` is faster than a pattern.

        Args:
            dropped: What was left out, in runs.
        """
        self.output = output
        self.text = text
        self._pattern = dropped

    def place(self, place: int) -> int:
        """Return where in the output stands what the text has at a place."""
        before, dropped = self._runs
        return place + dropped[bisect_right(before, place)]

    @cached_property
    def _runs(self) -> tuple[list[int], list[int]]:
        """The bytes of the text before each run, and the bytes dropped until then."""
        before, dropped = [], [0]
        for found in self._pattern.finditer(self.output):
            before.append(found.start() - dropped[-1])
            dropped.append(dropped[-1] + found.end() - found.start())
        return before, dropped
