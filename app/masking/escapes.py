"""Read URL-encoded and JSON-escaped text as what it stands for, and know where that came from."""

import json
import re
from bisect import bisect_right
from functools import cached_property, lru_cache
from itertools import accumulate

from app.masking.folding import fold

_GAP = b"\0"  # no environment variable holds it
_GAP_BYTES = 1024  # for less it does not pay
_ESCAPE = re.compile(
    rb"""( % [0-9A-Fa-f]{2} |
           \\ ["\\/bfnrt] |
           \\u [dD][89abAB][0-9A-Fa-f]{2} \\u [dD][c-fC-F][0-9A-Fa-f]{2} |
           \\u [0-9A-Fa-f]{4} )""",
    re.VERBOSE,
)
_CUT_OFF = re.compile(
    rb"""(?: % [0-9A-Fa-f]? |
             \\ (?: u [0-9A-Fa-f]{0,3} )? ) \Z""",
    re.VERBOSE,
)
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9A-Fa-f]{2}")
_LOW_SURROGATE_CUT_OFF = re.compile(
    rb"""(?: \\ (?: u (?: [dD] (?: [c-fC-F][0-9A-Fa-f]? )? )? )? )?""", re.VERBOSE
)


class Unescaped:
    """Text with its escapes decoded once, and folded.

    What is further than ``reach`` from every escape reads as before, and is left out.

    Attributes:
        text: What is read.
        cut_at: The place in the source of an escape that its end may have cut off; the source's
            length if there is none.
        same: True if nothing was decoded.
    """

    def __init__(self, source: bytes, reach: int) -> None:
        pieces = _ESCAPE.split(source)  # plain, escape, plain, …, plain
        self.cut_at = len(source) - _cut_off(pieces)
        self.same = len(pieces) == 1 and self.cut_at == len(source)
        read = pieces.copy()
        read[1::2] = map(_meaning, pieces[1::2])
        self._pieces, self._read = _near_escapes(pieces, read, reach)
        self.text = b"".join(self._read)

    def origin(self, place: int) -> tuple[int, int]:
        """Start and end in the source of what is read at a place of the text."""
        number = bisect_right(self._read_ends, place)
        if number == len(self._pieces):
            return self.cut_at, self.cut_at
        end = self._ends[number]
        if number % 2:
            return end - len(self._pieces[number]), end
        start = end - (self._read_ends[number] - place)
        return start, start + 1

    def place(self, origin: int) -> int:
        """Return the place in the text of a place in the source, or of the escape around that."""
        number = bisect_right(self._ends, origin)
        if number == len(self._pieces):
            return len(self.text)
        after = len(self._read[number]) if number % 2 else self._ends[number] - origin
        return self._read_ends[number] - after

    def is_one_line(self, start: int, stop: int) -> bool:
        """Return True if no line end was left out between two places of the text."""
        first, last = bisect_right(self._read_ends, start), bisect_right(self._read_ends, stop - 1)
        if stop == len(self.text):
            last = len(self._read)
        return all(self._read[first | 1 : last : 2])

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self._pieces)))

    @cached_property
    def _read_ends(self) -> list[int]:
        return list(accumulate(map(len, self._read)))


def has_escapes(text: bytes) -> bool:
    """Return True if there may be something to decode."""
    return b"%" in text or b"\\" in text


def _cut_off(pieces: list[bytes]) -> int:
    """Take away the escape that may go on after the last piece, and tell its length."""
    if _HIGH_SURROGATE.fullmatch(b"".join(pieces[-2:-1])) and (
        _LOW_SURROGATE_CUT_OFF.fullmatch(pieces[-1])
    ):
        return len(pieces.pop()) + len(pieces.pop())
    found = _CUT_OFF.search(pieces[-1], max(0, len(pieces[-1]) - 5))
    if found is None:
        return 0
    pieces[-1] = pieces[-1][: found.start()]
    return len(found[0])


def _near_escapes(
    pieces: list[bytes], read: list[bytes], reach: int
) -> tuple[list[bytes], list[bytes]]:
    """The same with a gap, as if it were an escape, for the middle of each long plain piece."""
    longest = 2 * reach + _GAP_BYTES
    if max(map(len, pieces)) <= longest:  # as most often, and much faster than the loop
        return pieces, read
    near: list[bytes] = []
    near_read: list[bytes] = []
    done = 0
    for number in [i for i, piece in enumerate(pieces) if len(piece) > longest]:
        piece = pieces[number]
        head, tail = piece[:reach], piece[-reach:]
        near += [*pieces[done:number], head, piece[reach:-reach], tail]
        near_read += [*read[done:number], head, _GAP, tail]
        done = number + 1
    return near + pieces[done:], near_read + read[done:]


@lru_cache(maxsize=4096)
def _meaning(escape: bytes) -> bytes:
    if escape.startswith(b"%"):
        return fold(bytes.fromhex(escape[1:].decode()))
    character: str = json.loads(f'"{escape.decode()}"')
    return fold(character.encode(errors="replace"))
