"""The forms in which a program may print a value."""

import base64
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

MIN_BYTES = 4
"""The shortest value that is masked, without line ends. A shorter one would match everywhere."""

_MIN_LINE_BYTES = 8
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def is_long_enough(text: str) -> bool:
    """Return True if the text is long enough to be searched for."""
    return len(text.replace("\r", "").replace("\n", "").encode()) >= MIN_BYTES


def printed_forms(value: str) -> set[bytes]:
    """The byte strings that show a value once output is unescaped, none if it is not long enough.

    As it is and stripped of surrounding white space: plain, and in base64 and base64url wherever
    it stands in what was encoded. Of several lines, also each line, with and without indentation.
    """
    lines = [text for line in value.splitlines() for text in (line, line.strip())]
    forms = {line.encode() for line in lines if len(line) >= _MIN_LINE_BYTES}
    for text in filter(is_long_enough, {value, value.strip()}):
        forms |= {text.encode(), *_base64(text.encode()), *_unquoted(text)}
    return forms


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on the value alone, after 0, 1 or 2 other bytes of a group."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        start, end = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        for form in (encoded[start:end], encoded[start:].rstrip(b"=")):
            yield form
            yield form.translate(_URL_SAFE)


def _unquoted(text: str) -> Iterator[bytes]:
    """Yield the value with its own ``%41`` decoded, as it appears once JSON around it is."""
    unquoted = unquote_to_bytes(text)
    if len(unquoted.translate(None, b"\r\n ")) >= MIN_BYTES and b"\0" not in unquoted:
        yield unquoted
