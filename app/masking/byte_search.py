"""Find many byte strings in a stream at once, without a loop over its bytes."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_FINGERPRINT_BYTES = 6
_KEY_BYTES = 4
_BUCKETS = 8
_FEW = 32  # about 5 values; from twice as many on, looking for all at once is faster
_ANY_BUCKET = bytes(1) + b"\x01" * 255


class Findings(NamedTuple):
    """The needles in one piece of a stream.

    Attributes:
        spans: Start and end of every needle, sorted by start; they may overlap.
        cut_off: The needles that the end of the piece may have cut off, each after its start.
    """

    spans: list[tuple[int, int]]
    cut_off: list[tuple[int, bytes]]


class ByteSearch:
    """A search for many needles of at least 4 bytes.

    A few are looked for one by one. Many are dealt into 8 buckets. One table for each of the first
    6 positions gives, for a byte, the set of buckets that have it there. Translating the haystack
    by each table, shifted by the position, and intersecting the results as one large integer
    leaves a mark wherever all 6 bytes fit one bucket: a dozen passes in C, however many needles
    there are. This is the idea of the Teddy algorithm of Hyperscan. Only marked positions are
    looked at one by one.
    """

    def __init__(self, needles: Iterable[bytes]) -> None:
        ordered = sorted(needles, key=lambda needle: (len(needle) < _FINGERPRINT_BYTES, needle))
        self._needles = ordered
        self._longest = max(map(len, ordered), default=0)
        self._tables = _tables(ordered)
        self._by_key: dict[bytes, list[bytes]] = {}
        for needle in ordered:
            for length in range(1, _KEY_BYTES + 1):
                self._by_key.setdefault(needle[:length], []).append(needle)

    def scan(self, haystack: bytes) -> Findings:
        """Find the needles, whole ones and those that the end may have cut off."""
        if len(self._needles) > _FEW:
            return self._scan_for_all(haystack)
        spans = sorted(
            (start, start + len(needle))
            for needle in self._needles
            for start in _places(needle, haystack)
        )
        end = max(0, len(haystack) - self._longest + 1)
        cut_off = self._scan_for_all(haystack[end:]).cut_off
        return Findings(spans, [(end + start, needle) for start, needle in cut_off])

    def _scan_for_all(self, haystack: bytes) -> Findings:
        spans, cut_off = [], []
        for start in self._starts(haystack):
            for needle in self._by_key.get(haystack[start : start + _KEY_BYTES], ()):
                if haystack.startswith(needle, start):
                    spans.append((start, start + len(needle)))
                elif needle.startswith(haystack[start : start + len(needle)]):
                    cut_off.append((start, needle))
        return Findings(spans, cut_off)

    def _starts(self, haystack: bytes) -> Iterator[int]:
        """Yield the places at which a needle may start.

        That is every place at the end, where a needle may be cut off.
        """
        marks = int.from_bytes(haystack.translate(self._tables[0]), "little")
        for shift, table in enumerate(self._tables[1:], 1):
            if not marks:
                break
            marks &= int.from_bytes(haystack[shift:].translate(table), "little")
        end = max(0, len(haystack) - _FINGERPRINT_BYTES + 1)
        if marks:
            marked = marks.to_bytes(len(haystack), "little").translate(_ANY_BUCKET)
            yield from _places(b"\x01", marked[:end])
        yield from range(end, len(haystack))


def _places(needle: bytes, haystack: bytes) -> Iterator[int]:
    place = haystack.find(needle)
    while place >= 0:
        yield place
        place = haystack.find(needle, place + 1)


def _tables(needles: list[bytes]) -> list[bytes]:
    tables = [bytearray(256) for _ in range(_FINGERPRINT_BYTES)]
    for number, needle in enumerate(needles):
        bucket = 1 << (number * _BUCKETS // len(needles))
        for position, table in enumerate(tables):
            fitting = needle[position : position + 1] or range(256)
            for byte in fitting:
                table[byte] |= bucket
    return [bytes(table) for table in tables]
