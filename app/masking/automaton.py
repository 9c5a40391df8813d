"""Many byte strings found at once, at the speed of memory."""

import re
from collections.abc import Iterable
from itertools import pairwise

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

_PROBE_BYTES = 8
_WORD = re.compile(rb"\w{2,}")
_RAREST = {byte: rank for rank, byte in enumerate(b"QXZJKqjxz")}
"""The rarest letters of words and names. If most patterns begin with one of them, the automaton
stays in few rows of its table, which then stay in the processor's nearest cache."""
_LARGEST_TABLE = 16_384
"""Bytes of patterns up to which there is a table: 1 KiB for each, and three times as fast."""
_GROUP_PATTERNS = 64
_MAX_GROUPS = 8
"""More take longer than one automaton for all."""


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


class Presence:
    """Reports whether a text may have any of many patterns, without their places.

    In a group of up to 64 patterns, vector instructions compare the first bytes of all with 16 or
    32 places of the text at once (the algorithm *Teddy* of Hyperscan). The library does so only if
    it looks for the leftmost of overlapping matches.
    """

    def __init__(self, patterns: Iterable[bytes]) -> None:
        """Take the patterns, which are sorted so that the first bytes in a group are similar.

        The instructions compare bytes by their halves. Fewer places of a text then look like one
        of the group: in base64 it takes half the time.
        """
        listed = sorted(patterns, key=lambda each: [byte & 0x0F for byte in each])
        count = -(-len(listed) // _GROUP_PATTERNS)
        self._are_too_many = count > _MAX_GROUPS
        bounds = [len(listed) * number // count for number in range(count + 1)] if count else []
        self._groups = [
            BytesAhoCorasick(
                listed[start:stop],
                matchkind=MatchKind.LeftmostFirst,
                implementation=Implementation.DFA,
            )
            for start, stop in pairwise(bounds)
            if not self._are_too_many
        ]

    def is_possible(self, text: bytes) -> bool:
        """Return False if the text has no pattern. Return True if it has one, or they are many."""
        found = (group.find_matches_as_indexes(text) for group in self._groups)
        return self._are_too_many or any(found)


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
