"""Gateway tokens: a bearer token with which an agent uses one secret through one config."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import ClassVar

from app.domain.access.api_keys import Token, TokenFormat
from app.domain.columns import COLUMN, StoredRow
from app.domain.damage import DamagedRow
from app.domain.errors import InvalidRequest
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.rules import Rule, load_rules
from app.domain.ids import GATEWAY_TOKEN
from app.domain.life import is_within

GATEWAY_TOKEN_PREFIX = "gws"  # noqa: S105 - a prefix, not a password
GATEWAY_TOKENS = TokenFormat((GATEWAY_TOKEN_PREFIX,), GATEWAY_TOKEN)

MAX_TTL_SECONDS = 30 * 24 * 60 * 60
MAX_LIVE_TOKENS = 1000
"""The number of live tokens that one API key may have minted."""

MAX_SOURCES = 16
MAX_REQUESTS = 2**53 - 1
MAX_REQUESTS_PER_MINUTE = 100_000
MAX_IN_FLIGHT = 1000
DEFAULT_IN_FLIGHT = 8

_DEVBOX_ID = re.compile("[A-Za-z0-9._:@-]{1,128}")


class TokenState(StrEnum):
    """The stored state of a gateway token. Expiry is no state: it follows from the clock."""

    LIVE = "live"
    REVOKED = "revoked"


class TokenStatus(StrEnum):
    """The status of a gateway token in the API."""

    LIVE = "live"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DAMAGED = "damaged"


class TokenPin(StrEnum):
    """The binding of a token to the address of its first use."""

    NONE = "none"
    FIRST_USE = "first_use"


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """The limits of a token; ``None`` for none but those of the gateway.

    Attributes:
        requests: In all, over its life.
    """

    requests_per_minute: int | None = None
    in_flight: int | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class GatewayToken(StoredRow):
    """One gateway token of an account; times are Unix milliseconds.

    Attributes:
        api_key_id: The key that minted it; once that has ended, the token is refused.
        injection_id: The injection whose redemption minted it, if one did.
        pinned: The ``pin`` of the config when the token was minted.
        secret_name: The name on which it was decided; the value opens under no other.
        devbox_id: A label of the box that it was minted for.
        allow: Stored text of the requests that it permits; ``None`` for all that its config does.
        sources: The networks from which it is accepted; none stands for all.
        pin: Its binding to the address of its first use.
        pinned_address: That address, once it was used.
        used: The number of requests that were admitted, where its limits count them.
    """

    table: ClassVar[str] = "gateway_tokens"

    account_id: str
    id: str
    api_key_id: str
    injection_id: str | None
    config_id: str
    pinned: bytes = field(metadata={COLUMN: "config_pin"})
    secret_id: str
    secret_name: str
    devbox_id: str
    token_digest: bytes
    allow: str | None
    limits: TokenLimits
    sources: tuple[str, ...]
    pin: TokenPin
    pinned_address: str | None
    state: TokenState
    used: int
    created_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None

    @property
    def allowed(self) -> tuple[Rule, ...] | None:
        """The requests that it permits, ``None`` for all; only of a row that was verified."""
        return None if self.allow is None else load_rules(self.allow)

    def is_live(self, now_ms: int) -> bool:
        """Return True if it is neither revoked nor outside of its lifetime at ``now_ms``."""
        is_in_time = is_within(self.created_at_ms, self.expires_at_ms, now_ms)
        return self.state is TokenState.LIVE and is_in_time

    def has_ended(self, at_ms: int) -> bool:
        """Return True if it was revoked or expired at ``at_ms``."""
        return self.state is TokenState.REVOKED or self.expires_at_ms <= at_ms

    def status(self, now_ms: int) -> TokenStatus:
        """Return its status at ``now_ms``."""
        if self.state is TokenState.LIVE and not self.is_live(now_ms):
            return TokenStatus.EXPIRED
        return TokenStatus(self.state.value)

    def accepts(self, address: str | None) -> bool:
        """Return True if it may be used from an address, in canonical form; ``None`` if unknown."""
        if self.pinned_address is not None and address != self.pinned_address:
            return False
        if not self.sources:
            return True
        if address is None:
            return False
        parsed = ip_address(address)
        return any(parsed in ip_network(source) for source in self.sources)


@dataclass(frozen=True, slots=True)
class IssuedGatewayToken:
    """A new gateway token, which is shown this once, with the config that it is for."""

    id: str
    token: Token
    expires_at_ms: int
    devbox_id: str
    config: GatewayConfig
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFilter:
    """Selects the gateway tokens in a list.

    Attributes:
        api_key_id: Only those that this key minted.
    """

    devbox_id: str | None = None
    config_id: str | None = None
    api_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayTokenView:
    """A gateway token as its account sees it: never the token itself."""

    token: GatewayToken
    status: TokenStatus


@dataclass(frozen=True, slots=True)
class TokenPage:
    """One page of a list, newest first."""

    tokens: list[GatewayTokenView | DamagedRow]
    has_more: bool


def is_devbox_id(text: str) -> bool:
    """Return True if the text could be the id of a box."""
    return _DEVBOX_ID.fullmatch(text) is not None


def check_devbox_id(text: str) -> None:
    """Refuse a box id that could not be a label.

    Raises:
        InvalidRequest: The rule that it breaks.
    """
    if not is_devbox_id(text):
        raise _bad("devbox_id", "must be 1 to 128 letters, digits or one of . _ : @ -")


def check_life(ttl_seconds: int) -> None:
    """Refuse a lifetime that no token may have.

    Raises:
        InvalidRequest: The rule that it breaks.
    """
    if not 1 <= ttl_seconds <= MAX_TTL_SECONDS:
        raise _bad("ttl_seconds", f"must be 1 to {MAX_TTL_SECONDS}")


def check_limits(limits: TokenLimits) -> None:
    """Refuse limits that admit nothing, or say nothing.

    Raises:
        InvalidRequest: The rule that is broken.
    """
    for name, number, largest in (
        ("requests_per_minute", limits.requests_per_minute, MAX_REQUESTS_PER_MINUTE),
        ("in_flight", limits.in_flight, MAX_IN_FLIGHT),
        ("requests", limits.requests, MAX_REQUESTS),
    ):
        if number is not None and not 1 <= number <= largest:
            raise _bad(f"limits.{name}", f"must be 1 to {largest}")


def canonical_sources(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the networks in their one form each.

    Raises:
        InvalidRequest: There are too many, or one is no network.
    """
    rule = f"must hold at most {MAX_SOURCES} networks, such as 192.0.2.0/24"
    given = list(sources)
    try:
        found = sorted({str(ip_network(source)) for source in given})
    except ValueError:
        found = None
    if found is None or len(given) > MAX_SOURCES or any("%" in source for source in given):
        raise _bad("sources", rule)
    return tuple(found)


def _bad(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest("The gateway token is not valid.", {name: rule})
