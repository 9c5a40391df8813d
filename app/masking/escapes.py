r"""Escapes as shells, languages and formats write them, each read as the bytes that it stands for.

Programs differ in which characters they escape, and how. So nothing is foreseen by program: one
pattern knows the ways of writing one character, and a reading decodes all of them at once. What was
escaped twice, as JSON in JSON, is read again.

============================  ==================================================================
``%41``, ``%u0041``           URLs; JavaScript's ``escape``
``\n``, ``\e``                C, and most languages and shells after it
``\101``, ``\x41``            C, Bash, Python; ``\x{41}`` of Perl
``\u0041``, ``\U00000041``    JSON, Java, Go, Python; ``\u{41}`` of Rust, Ruby and JavaScript
``\"``, ``\$``                a backslash before a character that is no letter or digit
``&amp;``, ``&#65;``          HTML and XML
``$$``, ``%%``                make; systemd, ``printf`` and batch files
``$'\n'``                     Zsh, in the middle of a word: the ``$`` goes, quotes go later
============================  ==================================================================
"""

import html
import re
import sys
from collections.abc import Callable
from functools import lru_cache

from app.masking.reading import Reading

DEPTH = 3
"""Rounds of decoding: JSON in a string of JSON in a URL."""

LONGEST_FACTOR = 10
r"""Bytes that one character takes at most, as ``\U00000041``; or, on average, what is between
the characters of a value: quotes, escapes of escapes, and the indentation of its lines."""

_HEX = rb"[0-9A-Fa-f]"
_LETTERS = dict(
    zip(
        b"abtnvfre0", (b"\a", b"\b", b"\t", b"\n", b"\v", b"\f", b"\r", b"\x1b", b"\0"), strict=True
    )
)
_ESCAPE = re.compile(
    rb"""( % u [dD][89abAB][hex]{2} % u [dD][c-fC-F][hex]{2} |
           % u [hex]{4} | % [hex]{2} | %% | \$\$ | \$ (?=') |
           \\ u [dD][89abAB][hex]{2} \\ u [dD][c-fC-F][hex]{2} |
           \\ u (?: [hex]{4} | \{ [hex]{1,6} \} ) | \\ U [hex]{8} |
           \\ x (?: [hex]{2} | \{ [hex]{1,6} \} ) |
           \\ [0-7]{3} | \\ [abtnvfre0] | \\ [^\w\s] |
           & (?: \# (?: [0-9]{1,7} | [xX] [hex]{1,6} ) | [A-Za-z][A-Za-z0-9]{1,24} ) ; )""".replace(
        b"[hex]", _HEX
    ),
    re.VERBOSE,
)
_CUT_OFF = re.compile(
    rb"""(?: % (?: u [hex]{0,3} | [hex]? ) | \$ |
             % u [dD][89abAB][hex]{2} (?: % (?: u [hex]{0,3} )? )? |
             \\+ u [dD][89abAB][hex]{2} (?: \\+ (?: u [hex]{0,3} )? )? |
             \\+ (?: u (?: [hex]{0,3} | \{ [hex]{0,6} ) | U [hex]{0,7} |
                     x (?: [hex]? | \{ [hex]{0,6} ) | [0-7]{1,2} )? |
             & (?: \#? [0-9A-Za-z]{0,25} ) ) \Z""".replace(b"[hex]", _HEX),
    re.VERBOSE,
)
_CUT_OFF_BYTES = 40
_MARKS = b"%", b"\\", b"&", b"$"
_PLAIN = bytes(range(0x30, 0x3A)) + bytes(range(0x41, 0x5B)) + b"_" + bytes(range(0x61, 0x7B))


def has_escapes(text: bytes) -> bool:
    """Return whether there may be anything to decode."""
    return any(mark in text for mark in _MARKS)


def decode(source: bytes) -> Reading:
    """Decode every escape once."""
    return Reading(source, _ESCAPE, _meaning)


def cut_off(text: bytes) -> int:
    """Return where an escape begins that the end of the text may have cut off, or the length."""
    start = max(0, len(text) - _CUT_OFF_BYTES)
    found = _CUT_OFF.search(text, start)
    return len(text) if found is None else found.start()


def of_plain_characters() -> list[bytes]:
    r"""List how escapes of letters, digits and ``_`` begin, which are hardly ever escaped."""
    beginnings = {b"&#", rb"\x{", rb"\u{", rb"\U000000", b"%25", rb"\u005"}
    for character in _PLAIN:
        pair = b"%02x" % character
        for digits in (pair, pair.upper()):
            beginnings |= {b"%" + digits, b"%u00" + digits, rb"\x" + digits, rb"\u00" + digits}
        beginnings.add(b"\\%03o" % character)
    return sorted(beginnings)


def signs_of_plain_characters() -> list[bytes]:
    """List what all that `of_plain_characters` lists begins with: a few, and not in most output.

    ``%2`` alone would be in most URLs.
    """
    return sorted({each[:2] for each in of_plain_characters()} - {b"%2"} | {b"%25"})


@lru_cache(maxsize=4096)
def _meaning(escape: bytes) -> bytes:
    for pattern, meaning in _MEANINGS:
        if found := pattern.fullmatch(escape):
            return meaning(*found.groups())
    return escape


def _character(digits: bytes) -> bytes:
    number = int(digits, 16)
    return chr(number).encode(errors="replace") if number <= sys.maxunicode else b"?"


def _pair(high: bytes, low: bytes) -> bytes:
    return bytes.fromhex((high + low).decode()).decode("utf-16-be").encode()


def _entity(name: bytes) -> bytes:
    return html.unescape(name.decode()).encode(errors="replace")


_MEANINGS: list[tuple[re.Pattern[bytes], Callable[..., bytes]]] = [
    (re.compile(rb"\$"), lambda: b""),
    (re.compile(rb"(\$)\$|(%)%"), lambda dollar, percent: dollar or percent),
    (re.compile(rb"[\\%]u(.{4})[\\%]u(.{4})"), _pair),
    (re.compile(rb"(?:%u|\\u|\\U|\\u\{|\\x\{)([0-9A-Fa-f]{3,8}|(?<=\{).*?)\}?"), _character),
    (re.compile(rb"(?:%|\\x)(..)"), lambda digits: bytes.fromhex(digits.decode())),
    (re.compile(rb"\\([0-7]{3})"), lambda digits: bytes([int(digits, 8) & 0xFF])),
    (re.compile(rb"\\([abtnvfre0])"), lambda letter: _LETTERS[letter[0]]),
    (re.compile(rb"\\(.)", re.DOTALL), lambda character: character),
    (re.compile(rb"(&.*;)"), _entity),
]
"""The reading of each kind of escape; the first that fits counts."""
