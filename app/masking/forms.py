"""The texts that show a value, whatever escapes a program writes them with."""

import base64
import json
from collections.abc import Iterator

from app.masking.escapes import decode

MIN_BYTES = 4
"""Besides line ends. A shorter value stays visible: it would match everywhere."""

_MIN_PART_BYTES = 8
"""Of a line or a string of JSON alone. A shorter one, as ``}`` or ``true``, says nothing."""

_MAX_DEPTH = 64
"""Of JSON; what is nested deeper is searched as a whole only."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def is_long_enough(text: str) -> bool:
    """Return whether there is enough of it to be looked for."""
    return len(text.replace("\r", "").replace("\n", "").encode()) >= MIN_BYTES


def printed_forms(value: str) -> set[bytes]:
    r"""List the texts that show a value; none if it is not long enough.

    - the value, and without white space around it; also with its own escapes decoded, as ``echo``
      prints a key with ``\n`` in it;
    - each of its lines, and each string if it is JSON; short lines with the lines after them;
    - base64 and base64url, wherever the value stands in what was encoded.
    """
    wholes = set(filter(is_long_enough, {value, value.strip()}))
    if not wholes:
        return set()
    texts = wholes | set(_lines(value)) | set(_strings(value))
    forms = {form for text in texts for form in _spellings(text)}
    return forms.union(*(_base64(text.encode()) for text in wholes))


def _spellings(text: str) -> Iterator[bytes]:
    r"""The text in UTF-8, as ``\xe9`` is meant in Python, as ``cat -v`` prints it, and decoded."""
    raw = text.encode()
    yield raw
    if not raw.isascii():
        yield b"".join(_latin(character) for character in text)
        yield b"".join(map(_visible, raw))
    decoded = decode(raw)
    if not decoded.is_same and len(decoded.text.translate(None, b"\r\n \0")) >= MIN_BYTES:
        yield decoded.text


def _latin(character: str) -> bytes:
    return character.encode("latin-1") if ord(character) < 256 else character.encode()  # noqa: PLR2004


def _visible(byte: int) -> bytes:
    if byte < 0x80:  # noqa: PLR2004 - ASCII
        return bytes([byte])
    low = byte - 0x80
    return b"M-^" + bytes([low + 0x40]) if low < 0x20 else b"M-" + bytes([low])  # noqa: PLR2004


def _lines(value: str) -> Iterator[str]:
    """Each line; one that is too short alone together with those after it.

    The first and the last line of PEM (RFC 7468) are the same in all keys and tell nothing.
    """
    lines = [line.strip() for line in value.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("-----BEGIN ", "-----END "))]
    if lines == [value.strip()]:
        return
    for number, line in enumerate(lines):
        joined, after = line, number + 1
        while len(joined.encode()) < _MIN_PART_BYTES and after < len(lines):
            joined, after = f"{joined}\n{lines[after]}", after + 1
        if len(joined.encode()) >= _MIN_PART_BYTES:
            yield joined


def _strings(value: str) -> Iterator[str]:
    """Each string of a JSON document, but for the names of members."""
    if not value.lstrip().startswith(("{", "[", '"')):
        return
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return
    level = [document]
    for _ in range(_MAX_DEPTH):
        for each in level:
            if isinstance(each, str) and len(each.encode(errors="replace")) >= _MIN_PART_BYTES:
                yield each.encode(errors="replace").decode()
        level = [inner for each in level for inner in _inner(each)]


def _inner(document: object) -> list[object]:
    if isinstance(document, dict):
        return list(document.values())
    return document if isinstance(document, list) else []


def _base64(raw: bytes) -> Iterator[bytes]:
    """The characters that depend on the value alone, after 0, 1 or 2 other bytes of a group."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        start, end = -(-8 * before // 6), 8 * (before + len(raw)) // 6
        for form in (encoded[start:end], encoded[start:].rstrip(b"=")):
            yield form
            yield form.translate(_URL_SAFE)
