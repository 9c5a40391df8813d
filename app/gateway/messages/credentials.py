"""Gateway tokens in a request: the one that is presented, and every other place that holds one.

Clients send their key where their vendor wants it, and change that between releases. So a token is
found by its shape, wherever it is a header's whole credential, and never by the header's name.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from urllib.parse import unquote

from app.domain.redaction import Redacted
from app.gateway.messages.refusals import Refusal

TOKEN_BYTES = 99
"""The length of every token."""

TOKEN = re.compile(rb"gws_[0-9A-Za-z]{22}_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}")

_MARK = "gws_"
_CREDENTIAL = re.compile(r"(?:(?:bearer|token|basic)[ \t]+)?([!-~]+)", re.IGNORECASE)
_BASIC = re.compile(r"basic[ \t]+([A-Za-z0-9+/_-]+={0,2})", re.IGNORECASE)
_DECODINGS = 3

Header = tuple[str, str]


def find_token(headers: Iterable[Header]) -> Redacted:
    """Return the one token that the headers of a request present.

    Raises:
        Refusal: There is none, or there are several.
    """
    found = {each for _, value in headers for each in _presented(value)}
    if not found:
        raise Refusal.of("gateway_token_missing")
    if len(found) > 1:
        raise Refusal.of("ambiguous_token")
    return Redacted(found.pop())


def refuse_token_in(target: str) -> None:
    """Refuse a target in which a token may stand, so that no log of an upstream gets it.

    Raises:
        Refusal: There is one, however often it is escaped.
    """
    for _ in range(_DECODINGS):
        if _MARK in target.casefold():
            raise Refusal.of("token_in_url")
        target = unquote(target)
    if _MARK in target.casefold():
        raise Refusal.of("token_in_url")


def holds_token(value: str) -> bool:
    """Return True if a header's value may hold a token in clear, escaped or in Basic."""
    basic = _BASIC.fullmatch(value)
    texts = (value, unquote(value), _decoded(basic[1]) if basic else "")
    return any(_MARK in each for each in texts)


def _presented(value: str) -> Iterable[str]:
    credential = _CREDENTIAL.fullmatch(value.strip())
    basic = _BASIC.fullmatch(value.strip())
    texts = [credential[1]] if credential else []
    if basic:
        texts.extend(_decoded(basic[1]).partition(":")[::2])
    return (each for each in texts if TOKEN.fullmatch(each.encode(errors="replace")))


def _decoded(text: str) -> str:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_" if set(text) & set("-_") else None).decode(
            errors="replace"
        )
    except (binascii.Error, ValueError):
        return ""
