"""Schemas of injections. Only the response to a redemption holds values."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from marshmallow import fields, post_load

from app.api.gateways.token_schemas import TokenLimitsEntry, terms_of, token_life, token_rules
from app.api.schemas.base import (
    Closed,
    Input,
    ListOf,
    ObjectByName,
    TextByName,
    nested,
    text,
    truth,
    whole,
)
from app.api.schemas.queries import Limit, PageRequest, last_id
from app.domain.ids import INJECTION
from app.domain.injections import (
    DEFAULT_TTL_SECONDS,
    GatewayChoice,
    InjectionStatus,
    RedeemNonce,
)


@dataclass(frozen=True, slots=True)
class NewInjection:
    """An injection to prepare."""

    secrets: dict[str, str]
    ttl_seconds: int
    gateways: dict[str, GatewayChoice]


class GatewayEntry(Closed):
    """A gateway config and a secret that requests through it use, and terms of the token."""

    gateway = text("The id or the name of a gateway config.", required=True)
    secret = text("The id or the name of a secret.", required=True)
    ttl_seconds = token_life()
    allow = token_rules()
    limits = nested(TokenLimitsEntry, "Limits of the token.")


class InjectionCreateParameters(Input[NewInjection]):
    """Secrets for one starting process."""

    example = MappingProxyType({"secrets": {"GREETING": "GREETING"}, "ttl_seconds": 300})

    secrets = TextByName("Environment variable to the name or the id of a secret.", required=True)
    gateways = ObjectByName(
        GatewayEntry,
        "Environment variable to the config and the secret of a gateway token, which redemption"
        " mints; its URL is in the variable with `_URL` after it.",
    )
    ttl_seconds = whole(
        "The lifetime of the token, in seconds; at most a day.",
        load_default=DEFAULT_TTL_SECONDS,
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewInjection:
        given = data.get("gateways") or {}
        gateways = {
            prefix: GatewayChoice(entry.pop("gateway"), entry.pop("secret"), terms_of(entry))
            for prefix, entry in given.items()
        }
        return NewInjection(data["secrets"], data["ttl_seconds"], gateways)


class InjectionCreatedView(Closed):
    """A new injection, whose token is shown this once."""

    id = text("The injection's id.", required=True)
    token = text("The bearer token that redeems it, once.", required=True)
    expires_at_ms = whole("When the token expires, in Unix milliseconds.", required=True)


class InjectionView(Closed):
    """The public fields of an injection."""

    id = text("The injection's id.", required=True)
    status = text(
        f"One of {', '.join(InjectionStatus)}. A damaged one cannot be redeemed, and only its id"
        " is shown.",
        required=True,
    )
    secrets = TextByName("Environment variable to the name of a secret.", required=True)
    gateways = ObjectByName(
        GatewayEntry,
        "Environment variable to the id of a gateway config, the name of a secret, and the terms"
        " that were given.",
    )
    create_time_ms = whole("When it was created, in Unix milliseconds.", required=True)
    expires_at_ms = whole("When the token expires, in Unix milliseconds.", required=True)
    redeemed_at_ms = whole(
        "When it was redeemed, in Unix milliseconds.", required=True, allow_none=True
    )
    redeemed_from = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The address that redeemed it."},
    )


class InjectionListView(Closed):
    """One page of injections, newest first."""

    injections = ListOf(InjectionView, "The injections of this page.")
    has_more = truth("Whether more injections follow this page.")


class InjectionListQuery(Input[PageRequest]):
    """The query of a list."""

    limit = Limit()
    starting_after = last_id(INJECTION, "an injection")

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> PageRequest:
        return PageRequest(**data)


class RedeemParameters(Input[RedeemNonce | None]):
    """The nonce by which a retry of a redemption is recognised."""

    redeem_nonce = text(
        "22 to 128 visible ASCII characters, at least 128 random bits: for 60 seconds the same one"
        " gets the values again.",
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> RedeemNonce | None:
        return RedeemNonce(data["redeem_nonce"]) if "redeem_nonce" in data else None


class RedeemedView(Closed):
    """The values, by environment variable, with gateway tokens and their URLs."""

    environment = TextByName("Environment variable to value.", required=True)
