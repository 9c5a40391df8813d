"""Data keys that no provider should have answered with."""

from collections.abc import Mapping
from itertools import count

_SHORT = b"a-data-key-that-is-too-short-ab"
_OTHERS = b"the-data-key-of-somebody"
_numbers = count(10_000_000)

PLANTED: Mapping[str, str | bytes] = {"a short key": _SHORT, "somebody's key": _OTHERS}
"""The text by which each is recognised."""


def short_key() -> bytes:
    """31 bytes, which are as long in base64 as 32."""
    return _SHORT


def others_key() -> bytes:
    """The data key of somebody else, of somebody new each time."""
    return _OTHERS + b"%d" % next(_numbers)
