"""API keys: the rows, the tokens that they are known by, and who calls with one."""

import re
import secrets
import zlib
from dataclasses import dataclass
from typing import ClassVar

from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import Scope
from app.domain.columns import StoredRow
from app.domain.errors import ScopeMissing
from app.domain.ids import ACCOUNT, API_KEY, ID_DIGITS, base62
from app.domain.life import is_within
from app.domain.redaction import Redacted

_SECRET_BITS = 256
_SECRET_DIGITS = 43
_CRC_DIGITS = 6
_DIGIT = "[0-9A-Za-z]"


class Token(Redacted):
    """A bearer credential: ``<prefix>_<account>_<id>_<secret><crc>``.

    The secret is 43 base62 digits, 256 bits. The CRC-32 of everything before it, in 6 digits, lets
    scanners and typing errors be distinguished from credentials without asking the database.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """The parts of a token that name its row.

    Attributes:
        account_id: The row's owner; of a gateway's key, the deployment.
    """

    prefix: str
    account_id: str
    row_id: str


class TokenFormat:
    """Mints and parses the tokens of one kind of row.

    Args:
        prefixes: The prefixes of this kind, for example ``ak`` and ``rk``.
        row_prefix: The prefix of the row's id.
        owner_prefix: The prefix of the owner's id, which is an account unless it is a deployment.
    """

    def __init__(
        self, prefixes: tuple[str, ...], row_prefix: str, owner_prefix: str = ACCOUNT
    ) -> None:
        self._row_prefix = row_prefix
        self._owner_prefix = owner_prefix
        self._pattern = re.compile(
            f"({'|'.join(prefixes)})_({_DIGIT}{{{ID_DIGITS}}})_({_DIGIT}{{{ID_DIGITS}}})"
            f"_{_DIGIT}{{{_SECRET_DIGITS + _CRC_DIGITS}}}"
        )

    def mint(self, prefix: str, account_id: str, row_id: str) -> Token:
        """A new token of the row, with a secret from the system's random source."""
        return self.make(prefix, account_id, row_id, secrets.token_bytes(_SECRET_BITS // 8))

    def make(self, prefix: str, account_id: str, row_id: str, secret: bytes) -> Token:
        """The token of the row with this secret of 32 bytes."""
        digits = base62(int.from_bytes(secret, "big"), _SECRET_DIGITS)
        account, row = account_id.partition("_")[2], row_id.partition("_")[2]
        body = f"{prefix}_{account}_{row}_{digits}"
        return Token(body + _crc(body))

    def parse(self, text: str) -> ParsedToken | None:
        """The parts of a token, or ``None`` if ``text`` is no token of this kind."""
        match = self._pattern.fullmatch(text)
        if match is None or _crc(text[:-_CRC_DIGITS]) != text[-_CRC_DIGITS:]:
            return None
        prefix, account, row = match.groups()
        return ParsedToken(prefix, f"{self._owner_prefix}_{account}", f"{self._row_prefix}_{row}")


def _crc(body: str) -> str:
    return base62(zlib.crc32(body.encode()), _CRC_DIGITS)


FULL_PREFIX = "ak"
RESTRICTED_PREFIX = "rk"
API_KEY_TOKENS = TokenFormat((FULL_PREFIX, RESTRICTED_PREFIX), API_KEY)

MAX_ISSUERS = 3
MAX_OVERLAP_MS = 60 * 60 * 1000
"""The longest time for which the token before a rotation stays valid."""


@dataclass(frozen=True, slots=True)
class ApiKey(StoredRow):
    """One API key of an account; times are Unix milliseconds, ``None`` when they never come.

    Attributes:
        restricted: Made with chosen scopes, and shown as ``rk_…``.
        token_digest: The keyed hash of the token.
        issuers: The ids of all keys above it, root first; none above a key of the operator.
        names: The secrets that it may hand over; ``None`` for all.
        rotated_at_ms: When its token was replaced last.
        previous_digest: The keyed hash of the token before, if that may still be good.
        previous_until_ms: Until when it is.
    """

    table: ClassVar[str] = "api_keys"

    account_id: str
    id: str
    name: str
    restricted: bool
    scopes: frozenset[Scope]
    token_digest: bytes
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    issuers: tuple[str, ...] = ()
    names: NameLimit | None = None
    rotated_at_ms: int | None = None
    previous_digest: bytes | None = None
    previous_until_ms: int | None = None

    def had_ended(self, at_ms: int) -> bool:
        """Return True if it was revoked or expired at ``at_ms``."""
        ends = (self.revoked_at_ms, self.expires_at_ms)
        return any(end is not None and end <= at_ms for end in ends)

    def is_live(self, now_ms: int) -> bool:
        """Return True if the key is neither revoked nor outside of its lifetime at ``now_ms``.

        Without an expiry there is no life that a clock could prolong: when it began is no matter.
        """
        if self.revoked_at_ms is not None:
            return False
        expiry = self.expires_at_ms
        return expiry is None or is_within(self.created_at_ms, expiry, now_ms)

    def takes_previous(self, now_ms: int) -> bool:
        """Return True if the token before the last rotation is still valid at ``now_ms``."""
        since, until = self.rotated_at_ms, self.previous_until_ms
        if self.previous_digest is None or since is None or until is None:
            return False
        return is_within(since, until, now_ms)


@dataclass(frozen=True, slots=True)
class IssuedApiKey:
    """A new API key with its token, which is shown this once."""

    id: str
    name: str
    scopes: frozenset[Scope]
    token: Token
    expires_at_ms: int | None


@dataclass(frozen=True, slots=True)
class RotatedApiKey:
    """An API key with a new token, which is shown this once.

    Attributes:
        previous_until_ms: Until when the token before is good; ``None`` if it is no more.
    """

    issued: IssuedApiKey
    previous_until_ms: int | None


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revoked API key, and how many that were good die with it."""

    key: ApiKey
    api_keys: int
    injections: int
    gateway_tokens: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated sender of a request.

    Attributes:
        address: The address of the client, if it is known.
        request_id: The server's own id of the request.
    """

    account_id: str
    api_key_id: str
    scopes: frozenset[Scope]
    expires_at_ms: int | None
    issuers: tuple[str, ...] = ()
    names: NameLimit | None = None
    address: str | None = None
    request_id: str | None = None

    @property
    def actor(self) -> str:
        """Return the id of the API key, as the audit trail names who did it."""
        return self.api_key_id

    def require(self, scope: Scope) -> None:
        """Refuse a caller without this scope.

        Raises:
            ScopeMissing: Names the scope.
        """
        if scope not in self.scopes:
            raise ScopeMissing(scope)
