"""The headers that the gateway sets on a request: the credential, and a config's custom headers."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from app.domain.columns import COLUMN
from app.domain.errors import InvalidRequest

MAX_CUSTOM_HEADERS = 8
MAX_LITERAL_LENGTH = 4096

_HEADER_NAME = re.compile("[A-Za-z0-9-]{1,64}")
_LITERAL = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_NAME_RULE = (
    "must be a header name of 1 to 64 letters, digits and hyphens, and not one that the gateway "
    "or HTTP sets itself"
)
_LITERAL_RULE = (
    f"must be 1 to {MAX_LITERAL_LENGTH} visible ASCII characters, with spaces only between them"
)
# Framing, hop-by-hop, cookies, and what proxies or frameworks take for the client or the method.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    }
)
_RESERVED_PREFIXES = ("proxy-", "sec-", "x-forwarded-", "x-strongroom-")


class AuthType(StrEnum):
    """The form in which the upstream takes a secret."""

    BEARER = "bearer"
    BASIC = "basic"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class AuthMechanism:
    """The header in which the gateway sends a secret.

    Attributes:
        key: The name of the header, for ``header`` alone; the others use ``Authorization``.
    """

    type: AuthType = field(metadata={COLUMN: "auth_type"})
    key: str | None = field(default=None, metadata={COLUMN: "auth_key"})

    @property
    def header(self) -> str:
        """The name of the header."""
        return self.key or "Authorization"


class CustomHeader(NamedTuple):
    """One more header of every request: a secret, or a literal that is stored in clear.

    Attributes:
        secret_id: ``None`` for a literal.
        secret_name: The secret's name when the header was set; the value opens under no other.
        value: ``None`` for a secret.
    """

    name: str
    secret_id: str | None = None
    secret_name: str | None = None
    value: str | None = None


class NewCustomHeader(NamedTuple):
    """A custom header as a client sends it.

    Attributes:
        secret: The name or the id of a secret.
    """

    name: str
    secret: str | None = None
    value: str | None = None


def check_auth(auth: AuthMechanism) -> None:
    """Refuse a mechanism without the header that it needs, or with one that it does not take.

    Raises:
        InvalidRequest: The rule that is broken.
    """
    if auth.type is AuthType.HEADER:
        if auth.key is None or not is_sendable_header(auth.key):
            raise _bad("auth_mechanism.key", _NAME_RULE)
    elif auth.key is not None:
        raise _bad("auth_mechanism.key", "goes with the type header only")


def check_custom_headers(headers: Collection[NewCustomHeader]) -> None:
    """Refuse custom headers that could not be sent.

    Raises:
        InvalidRequest: The rule that is broken; repeats no input.
    """
    if len(headers) > MAX_CUSTOM_HEADERS:
        raise _bad("custom_headers", f"must hold at most {MAX_CUSTOM_HEADERS} entries")
    for header in headers:
        if not is_sendable_header(header.name):
            raise _bad("custom_headers.name", _NAME_RULE)
        if (header.secret is None) == (header.value is None):
            raise _bad("custom_headers", "must hold either a secret or a value each")
        if header.value is not None and not is_sendable_value(header.value):
            raise _bad("custom_headers.value", _LITERAL_RULE)


def check_distinct(auth: AuthMechanism, names: Iterable[str]) -> None:
    """Refuse custom headers of one name, or of the credential's.

    Raises:
        InvalidRequest: There are such.
    """
    lower = [auth.header.lower(), *map(str.lower, names)]
    if len(set(lower)) != len(lower):
        raise _bad("custom_headers", "must name each header once, and not the credential's")


def is_sendable_header(name: str) -> bool:
    """Return True if the gateway may set a header of this name."""
    lower = name.lower()
    return (
        _HEADER_NAME.fullmatch(name) is not None
        and lower not in _RESERVED
        and not lower.startswith(_RESERVED_PREFIXES)
    )


def is_sendable_value(text: str) -> bool:
    """Return True if the text is a header value that every server reads the same."""
    return len(text) <= MAX_LITERAL_LENGTH and _LITERAL.fullmatch(text) is not None


def dump_headers(headers: Iterable[CustomHeader]) -> str:
    """Return the stored text of custom headers, in ASCII."""
    return json.dumps(list(headers))


def load_headers(text: str) -> tuple[CustomHeader, ...]:
    """Parse the text of ``dump_headers``; only of a row that was verified."""
    return tuple(map(CustomHeader._make, json.loads(text)))


def _bad(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest("The gateway config is not valid.", {name: rule})
