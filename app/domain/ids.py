"""Identifiers: a prefix that names the kind, and a UUIDv7 in base62, so that they sort by time."""

import re

import uuid_utils

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TWO_DIGITS = len(_PAIRS)
_FOUR_DIGITS = _TWO_DIGITS**2
ID_DIGITS = 22

SECRET = "sec"  # noqa: S105 - a prefix, not a password
ACCOUNT = "acct"
API_KEY = "key"
DATA_KEY = "dk"
INJECTION = "inj"
DEPLOYMENT = "dep"
WORKER = "wkr"
MOVE = "mov"
GATEWAY_CONFIG = "gwc"
GATEWAY_TOKEN = "gwt"  # noqa: S105 - a prefix, not a password
GATEWAY_USE = "gwu"
GATEWAY_KEY = "gwk"
AUDIT_EVENT = "aud"

_DIGITS = f"[0-9A-Za-z]{{{ID_DIGITS}}}"
_PREFIXES = (
    *(SECRET, ACCOUNT, API_KEY, DATA_KEY, INJECTION, DEPLOYMENT),
    *(GATEWAY_CONFIG, GATEWAY_TOKEN, GATEWAY_USE, GATEWAY_KEY, AUDIT_EVENT),
)
_ANY_ID = re.compile(f"(?:{'|'.join(_PREFIXES)})_{_DIGITS}")
_ID_OF = {prefix: re.compile(f"{prefix}_{_DIGITS}") for prefix in _PREFIXES}


def base62(number: int, digits: int) -> str:
    """``number`` in exactly ``digits`` base62 digits, whose order is that of the numbers."""
    pieces = []
    for _ in range(0, digits, 4):  # by four, as a division of a long number costs more than two
        number, four = divmod(number, _FOUR_DIGITS)
        pieces.append(_PAIRS[four % _TWO_DIGITS])
        pieces.append(_PAIRS[four // _TWO_DIGITS])
    pieces.reverse()
    return "".join(pieces)[-digits:]


def new_id(prefix: str) -> str:
    """A new identifier of the kind that ``prefix`` names."""
    return f"{prefix}_{base62(uuid_utils.uuid7().int, ID_DIGITS)}"


def is_id(text: str, prefix: str) -> bool:
    """Return True if ``text`` is shaped like an identifier of this kind."""
    return _ID_OF[prefix].fullmatch(text) is not None


def is_any_id(text: str) -> bool:
    """Return True if ``text`` is shaped like an identifier of any of our kinds."""
    return _ANY_ID.fullmatch(text) is not None
