"""How a value may look when a program prints it."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MIN_BYTES = 4
"""Besides line ends; what is shorter stays visible: it would match everywhere."""

_MIN_LINE_BYTES = 8
_UNESCAPED = ("", "/", "!'()*", ";,/?:@&=+$!*'()#")  # RFC 3986, paths, and JavaScript's two
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def is_long_enough(text: str) -> bool:
    """Whether there is enough of it to be looked for."""
    return len(text.replace("\r", "").replace("\n", "").encode()) >= MIN_BYTES


def printed_forms(value: str) -> set[bytes]:
    """The byte strings that show a value, none if it is not long enough.

    As it is and stripped of surrounding white space: plain, in base64 and base64url wherever it
    stands in what was encoded, URL-encoded, escaped in JSON. Of several lines, also each line.
    """
    forms = {line.encode() for line in value.splitlines() if len(line) >= _MIN_LINE_BYTES}
    for text in filter(is_long_enough, {value, value.strip()}):
        forms |= {text.encode(), *_base64(text.encode()), *_url(text), *_json(text)}
    return forms


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on the value alone, after 0, 1 or 2 other bytes of a group."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        start, end = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        for form in (encoded[start:end], encoded[start:].rstrip(b"=")):
            yield form
            yield form.translate(_URL_SAFE)


def _url(text: str) -> Iterator[bytes]:
    encodings = [quote(text, safe) for safe in _UNESCAPED] + [quote_plus(text)]
    for encoding in encodings:
        yield encoding.encode()
        yield re.sub("%..", lambda found: found[0].lower(), encoding).encode()


def _json(text: str) -> Iterator[bytes]:
    ascii_only, unicode = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
    for escaped in (ascii_only, unicode):
        yield escaped.encode()
        yield escaped.replace("/", "\\/").encode()
        yield re.sub("[&<>]", lambda found: f"\\u{ord(found[0]):04x}", escaped).encode()
    yield re.sub(r"(?<=\\u)....", lambda found: found[0].upper(), ascii_only).encode()
