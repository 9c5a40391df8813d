"""Many byte strings found at once, at the speed of memory."""

import re
from collections.abc import Iterable

from ahocorasick_rs import BytesAhoCorasick, Implementation

_PROBE_BYTES = 8
_WORD = re.compile(rb"\w{2,}")
_RAREST = {byte: rank for rank, byte in enumerate(b"QXZJKqjxz")}
"""The rarest letters of words and names. If most patterns begin with one of them, the automaton
stays in few rows of its table, which then stay in the processor's nearest cache."""
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
    """Return a place before ``end`` with 8 letters and digits, and them.

    They begin with a rare letter if possible. They are fewer if no run is as long, and empty if
    none has two bytes.
    """
    runs = [found.span() for found in _WORD.finditer(text, 0, end)]
    length = min(max((stop - start for start, stop in runs), default=0), _PROBE_BYTES)
    starts = [at for start, stop in runs for at in range(start, stop - length + 1)]
    best = min(starts, key=lambda at: _RAREST.get(text[at], len(_RAREST)), default=0)
    return best, text[best : best + length]
