"""One text to find in output, and how programs spell it."""

import re
from collections.abc import Iterator
from functools import cached_property

DROPPED = b" \t\r\n\v\f'\"`\\+"
"""Quotes, backslashes and white space. ``+`` stands for a space in forms of HTML, and before a
string that goes on in the next line."""

LINE_ENDS = b"\r\n"

_WHITE = b" \t\r\n\v\f"
_EDGE_BYTES = 256
_MAX_BEGINNING = 50  # bytes; the pattern for a beginning nests as deep
_PIECE = re.compile(rb"[ \t\r\n\v\f'\"`\\+]+|.", re.DOTALL)
_LETTER = re.compile(rb"\w")


def reduce(text: bytes) -> bytes:
    """Return the text without what programs put between the characters of a value."""
    return text.translate(None, DROPPED)


class Spelling:
    """A text that shows a value.

    Attributes:
        lead, trail: What is dropped at its ends, but for line ends.
        has_white: Whether it has white space inside, so that programs may fold it.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._core = text.strip(DROPPED)
        start = text.find(self._core)
        self.lead = text[:start].lstrip(LINE_ENDS)
        self.trail = text[start + len(self._core) :].rstrip(LINE_ENDS)
        self.has_white = any(byte in _WHITE for byte in self._core)

    def fits(self, output: bytes, start: int, stop: int) -> bool:
        """Return whether the output between two places spells it.

        Only a backslash may stand between its characters, and quotes or white space where it has
        some itself.
        """
        return self._spelled.fullmatch(output, start, stop) is not None

    def extend(self, output: bytes, start: int, stop: int) -> tuple[int, int]:
        """Extend what shows its core to what is dropped at its ends, if the output has that."""
        if self.lead and (found := self._lead.search(output, max(0, start - _EDGE_BYTES), start)):
            start = found.start()
        if self.trail and (found := self._trail.match(output, stop)):
            stop = found.end()
        return start, stop

    def places(self, output: bytes) -> Iterator[tuple[int, int]]:
        """Yield where it is spelled, for a text of little but what is dropped."""
        return (found.span() for found in self._whole.finditer(output))

    def beginning(self, output: bytes) -> tuple[int, int] | None:
        """Return where it begins at the end of the output and goes on, and how much is there."""
        found = self._begun.search(output, max(0, len(output) - _EDGE_BYTES))
        return None if found is None else (found.start(), len(found[0]))

    def __len__(self) -> int:
        return len(self._text)

    def __repr__(self) -> str:
        return f"Spelling({len(self._text)} bytes)"

    @cached_property
    def _spelled(self) -> re.Pattern[bytes]:
        return re.compile(b"".join(map(_between, _PIECE.findall(self._core))))

    @cached_property
    def _lead(self) -> re.Pattern[bytes]:
        return re.compile(b"".join(_characters(self.lead)) + rb"\Z")

    @cached_property
    def _trail(self) -> re.Pattern[bytes]:
        return re.compile(b"".join(_characters(self.trail)))

    @cached_property
    def _whole(self) -> re.Pattern[bytes]:
        return re.compile(b"".join(_characters(self._text)))

    @cached_property
    def _begun(self) -> re.Pattern[bytes]:
        first, *others = _characters(self._text[:_MAX_BEGINNING])
        pattern = rb"\\{0,8}"
        for each in reversed(others):
            pattern = rb"(?:%s%s)?" % (each, pattern)
        return re.compile(first + pattern + rb"\Z")


def _between(piece: bytes) -> bytes:
    if reduce(piece):
        return piece if _LETTER.match(piece) else rb"\\{0,8}" + re.escape(piece)
    is_white = any(byte in _WHITE for byte in piece)
    return rb"[\s+'\"`\\]{1,256}" if is_white else rb"[ +'\"`\\]{1,64}"


def _characters(text: bytes) -> list[bytes]:
    return [
        rb"[\s+]" if byte in _WHITE + b"+" else rb"\\{0,8}" + re.escape(bytes([byte]))
        for byte in text
    ]
