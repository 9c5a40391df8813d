"""Many byte strings found at once, at the speed of memory."""

import re
from collections.abc import Iterable

from ahocorasick_rs import BytesAhoCorasick, Implementation

_PROBE_BYTES = 8
_WORD = re.compile(rb"\w{2,}")
_LARGEST_TABLE = 16_384
"""Bytes of patterns up to which there is a table: 1 KiB for each, and three times as fast."""


class Automaton:
    """Finds every place of every pattern, also where they overlap."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        listed = list(patterns)
        is_small = sum(map(len, listed)) <= _LARGEST_TABLE
        implementation = Implementation.DFA if is_small else Implementation.ContiguousNFA
        self._search = BytesAhoCorasick(listed, implementation=implementation)

    def find(self, text: bytes) -> list[tuple[int, int, int]]:
        """Return the number of the pattern, start and stop of each place."""
        return self._search.find_matches_as_indexes(text, overlapping=True)


def rarest_run(text: bytes, end: int) -> tuple[int, bytes]:
    """Return the start of the longest run of letters and digits before ``end``, and 8 bytes of it.

    The run is empty if there is none of two bytes or more.
    """
    runs = [found.span() for found in _WORD.finditer(text, 0, end)]
    lengths = [(min(stop - start, _PROBE_BYTES), -start) for start, stop in runs]
    length, before = max(lengths, default=(0, 0))
    return -before, text[-before : length - before]
