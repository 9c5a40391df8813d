"""The calls of the API about gateway tokens, and what they answer."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from app.client.api import Account
from app.client.redeem import UNAVAILABLE, Fault, Refused

_Document = Mapping[str, Any]

_PAGE = 1000
_LAST_MS = 253_402_300_799_999  # the year 9999
_TEXT = re.compile("[!-~]{0,255}")
_TOKEN_ID = re.compile("gwt_[0-9A-Za-z]{20,24}")
_TEXTS = ("id", "status", "devbox_id", "gateway_config_id", "secret")
_TIMES = ("create_time_ms", "expires_at_ms")


class ListedToken(NamedTuple):
    """A gateway token without its secret part. Times are Unix milliseconds."""

    id: str
    status: str
    devbox_id: str
    gateway_config_id: str
    secret: str
    create_time_ms: int
    expires_at_ms: int


def is_token_id(text: str) -> bool:
    """Return True for the id of a gateway token; the token itself is none."""
    return _TOKEN_ID.fullmatch(text) is not None


def gateway_tokens(account: Account, devbox_id: str | None, limit: int) -> list[ListedToken]:
    """Return all gateway tokens, or those of a box; stop once there are more than ``limit``."""
    query: dict[str, str] = {"limit": str(_PAGE)}
    if devbox_id is not None:
        query["devbox_id"] = devbox_id
    found: dict[str, ListedToken] = {}
    while True:
        page = account.call(f"/v1/gateway-tokens?{urlencode(query)}", _page)
        known = len(found)
        found |= {each.id: each for each in page.tokens}
        if len(found) < known + len(page.tokens):
            raise Refused(Fault("the server lists gateway tokens twice.", UNAVAILABLE))
        if not page.has_more or len(found) > limit:
            return [*found.values()]
        query["starting_after"] = page.tokens[-1].id


def revoke_token(account: Account, token_id: str) -> ListedToken:
    """Revoke one gateway token."""
    return account.call(f"/v1/gateway-tokens/{token_id}/revoke", _token, {})


def revoke_box(account: Account, devbox_id: str) -> int:
    """Revoke all gateway tokens of a box. Returns their number."""
    return account.call("/v1/gateway-tokens/revoke", _revoked, {"devbox_id": devbox_id})


class _Page(NamedTuple):
    tokens: list[ListedToken]
    has_more: bool


def _page(document: _Document) -> _Page | None:
    rows, has_more = document.get("gateway_tokens"), document.get("has_more")
    if not (isinstance(rows, list) and isinstance(has_more, bool)):
        return None
    found = [token for row in rows if isinstance(row, dict) and (token := _token(row))]
    is_whole = len(found) == len(rows) and (found or not has_more)
    return _Page(found, has_more) if is_whole else None


def _token(document: _Document) -> ListedToken | None:
    """Return the token that the document describes, or None if it could mislead a terminal."""
    values: dict[str, Any] = {name: document.get(name) for name in ListedToken._fields}
    if not all(isinstance(values[name], str) and _TEXT.fullmatch(values[name]) for name in _TEXTS):
        return None
    if not all(type(values[name]) is int and 0 <= values[name] <= _LAST_MS for name in _TIMES):
        return None
    token = ListedToken(**values)
    return token if is_token_id(token.id) else None


def _revoked(document: _Document) -> int | None:
    number = document.get("revoked")
    return number if type(number) is int and number >= 0 else None
