"""Values that are recognised wherever they turn up, in whatever form."""

import base64
import json
from urllib.parse import quote

_STEM = "Kümmel-Quitte"


def canary(number: int) -> str:
    """A value of its own for each number."""
    return f"{_STEM}-{number}"


def forms(text: str = _STEM) -> dict[str, bytes]:
    """The text, which every canary holds, in the forms that software gives to text."""
    return {
        **forms_of_bytes(text.encode()),
        "latin-1": text.encode("latin-1"),
        "UTF-16 little-endian": text.encode("utf-16-le"),
        "UTF-16 big-endian": text.encode("utf-16-be"),
        "URL": quote(text).encode(),
        "JSON": json.dumps(text)[1:-1].encode(),
        "Python": ascii(text)[1:-1].encode(),
    }


def forms_of_bytes(plain: bytes) -> dict[str, bytes]:
    """The forms that software gives to bytes."""
    return {
        "raw": plain,
        "hex": plain.hex().encode(),
        "upper-case hex": plain.hex().upper().encode(),
        "Python bytes": repr(plain)[2:-1].encode(),
        **{f"base64 at {start}": _base64_within(plain, start) for start in range(3)},
        **{f"URL-safe base64 at {start}": _url_safe(plain, start) for start in range(3)},
    }


def found_in(data: bytes, text: str = _STEM) -> list[str]:
    """The forms in which a canary, or another text, is in ``data``."""
    return [name for name, form in forms(text).items() if form in data]


def _base64_within(plain: bytes, start: int) -> bytes:
    """The digits that stay the same whatever stands before and behind, ``start`` bytes in."""
    whole = (start + len(plain)) // 3 * 4
    return base64.b64encode(b"\0" * start + plain)[4 if start else 0 : whole]


def _url_safe(plain: bytes, start: int) -> bytes:
    return _base64_within(plain, start).translate(bytes.maketrans(b"+/", b"-_"))
