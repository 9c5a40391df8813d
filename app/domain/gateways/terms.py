"""The terms of a new gateway token: its lifetime, and what narrows its use."""

import json
from dataclasses import astuple, dataclass, field, replace
from typing import NamedTuple, Self

from app.domain.errors import InvalidRequest
from app.domain.gateways.drafts import stored_rules
from app.domain.gateways.rules import Rule, check_rules
from app.domain.gateways.tokens import (
    GatewayToken,
    TokenLimits,
    TokenPin,
    TokenState,
    canonical_sources,
    check_life,
    check_limits,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTerms:
    """The limits of a token beside its config and its secret.

    Attributes:
        ttl_seconds: ``None`` for the operator's setting.
        allow: The requests that it permits; ``None`` for all that its config does.
    """

    ttl_seconds: int | None = None
    allow: tuple[Rule, ...] | None = None
    limits: TokenLimits = field(default_factory=TokenLimits)
    sources: tuple[str, ...] = ()
    pin: TokenPin = TokenPin.NONE

    def checked(self) -> Self:
        """Return the terms with their sources in the one form.

        Raises:
            InvalidRequest: One of them breaks a rule.
        """
        if self.ttl_seconds is not None:
            check_life(self.ttl_seconds)
        check_limits(self.limits)
        check_rules("allow", self.allow or ())
        if self.allow == ():
            raise InvalidRequest(
                "The gateway token is not valid.", {"allow": "must hold at least one rule"}
            )
        return replace(self, sources=canonical_sources(self.sources))

    def dump(self) -> str:
        """Return lifetime, rules and limits as an injection stores them; empty for none."""
        if (self.ttl_seconds, self.allow, self.limits) == (None, None, TokenLimits()):
            return ""
        return json.dumps((self.ttl_seconds, self.allow, astuple(self.limits)))

    @classmethod
    def load(cls, text: str, pin: TokenPin) -> Self:
        """Parse the text of ``dump``; only of a row that was verified."""
        if not text:
            return cls(pin=pin)
        ttl_seconds, rules, limits = json.loads(text)
        allow = None if rules is None else tuple(Rule(tuple(each), path) for each, path in rules)
        return cls(ttl_seconds=ttl_seconds, allow=allow, limits=TokenLimits(*limits), pin=pin)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGatewayToken:
    """A gateway token to mint.

    Attributes:
        gateway: The id or the name of a config.
        secret: The id or the name of a secret.
    """

    gateway: str
    secret: str
    terms: TokenTerms = TokenTerms()


class Holder(NamedTuple):
    """The key that mints a token, and whom it is for.

    Attributes:
        key_expires_at_ms: When the key ends, and all that it minted with it.
        devbox_id: A label of the box.
        injection_id: The injection whose redemption mints it, if one does.
    """

    account_id: str
    api_key_id: str
    key_expires_at_ms: int | None
    devbox_id: str
    injection_id: str | None = None


class Joined(NamedTuple):
    """The config and the secret of a token, as they were when that was decided."""

    config_id: str
    pinned: bytes
    secret_id: str
    secret_name: str


def live_token(
    holder: Holder, joined: Joined, terms: TokenTerms, named: tuple[str, bytes], now_ms: int
) -> GatewayToken:
    """Return the row of a new token.

    Args:
        terms: With a lifetime.
        named: The id of the token, and its keyed hash.
    """
    assert terms.ttl_seconds is not None  # noqa: S101 - of the operator, if nobody chose one
    expires_at_ms = now_ms + terms.ttl_seconds * 1000
    if holder.key_expires_at_ms is not None:
        expires_at_ms = min(expires_at_ms, holder.key_expires_at_ms)
    return GatewayToken(
        account_id=holder.account_id,
        id=named[0],
        api_key_id=holder.api_key_id,
        injection_id=holder.injection_id,
        config_id=joined.config_id,
        pinned=joined.pinned,
        secret_id=joined.secret_id,
        secret_name=joined.secret_name,
        devbox_id=holder.devbox_id,
        token_digest=named[1],
        allow=stored_rules(terms.allow),
        limits=terms.limits,
        sources=terms.sources,
        pin=terms.pin,
        pinned_address=None,
        state=TokenState.LIVE,
        used=0,
        created_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
        revoked_at_ms=None,
    )
