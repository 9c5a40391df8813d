"""Schemas of gateway tokens and their uses. Only the answer to a mint holds a token."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from marshmallow import fields, post_load, validate

from app.api.gateways.config_schemas import AuthMechanismEntry, rules
from app.api.schemas.base import (
    Closed,
    Input,
    ListOf,
    NullableListOf,
    TextList,
    nested,
    text,
    truth,
    whole,
    word,
)
from app.api.schemas.queries import Limit, Matching, PageRequest, last_id
from app.domain.gateways.terms import NewGatewayToken, TokenTerms
from app.domain.gateways.tokens import (
    MAX_SOURCES,
    TokenFilter,
    TokenLimits,
    TokenPin,
    TokenStatus,
    is_devbox_id,
)
from app.domain.ids import GATEWAY_CONFIG, GATEWAY_TOKEN, GATEWAY_USE, is_id

_SOME = validate.Length(min=1, error="must hold at least one entry")


class TokenLimitsEntry(Closed):
    """The limits of a token; null for none."""

    requests_per_minute = whole("Requests in a minute.", bits=32, allow_none=True)
    in_flight = whole("Requests at once.", bits=32, allow_none=True)
    requests = whole("Requests in all.", allow_none=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> TokenLimits:
        return TokenLimits(**data)


def token_life() -> fields.Integer:
    """Make the field of a lifetime."""
    return whole("The lifetime of the token, in seconds; at most 30 days.", allow_none=True)


def token_rules() -> NullableListOf:
    """Make the field of a token's rules."""
    return rules("Requests that are permitted, of those that the config permits.")


def terms_of(data: Mapping[str, Any]) -> TokenTerms:
    """Return the terms that the fields of a token state; null states nothing."""
    given = {name: value for name, value in data.items() if value is not None}
    for name in given.keys() & {"allow", "sources"}:
        given[name] = tuple(given[name])
    if "pin" in given:
        given["pin"] = TokenPin(given["pin"])
    return TokenTerms(**given)


class GatewayTokenCreateParameters(Input[NewGatewayToken]):
    """A token for one config and one secret."""

    example = MappingProxyType({"gateway": "anthropic", "secret": "GREETING"})

    gateway = text("The id or the name of a gateway config.", required=True)
    secret = text("The id or the name of a secret.", required=True)
    ttl_seconds = token_life()
    allow = token_rules()
    limits = nested(TokenLimitsEntry, "Limits of the token.")
    sources = TextList("Networks from which it may be used, such as 192.0.2.0/24.", few=MAX_SOURCES)
    pin = text(
        "`first_use` binds it to the address of its first use.",
        allow_none=True,
        validate=validate.OneOf(tuple(TokenPin), error="must be one of: {choices}"),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewGatewayToken:
        gateway, secret = data.pop("gateway"), data.pop("secret")
        return NewGatewayToken(gateway=gateway, secret=secret, terms=terms_of(data))


class GatewayTokenCreatedView(Closed):
    """A new token, shown this once."""

    token = text("The bearer token for the gateway.", required=True)
    url = text("The URL to use in place of the upstream's.", required=True)
    endpoint = text("The URL of the upstream.", required=True)
    auth_mechanism = nested(AuthMechanismEntry, "The way in which the upstream takes the secret.")
    devbox_id = text("The box that the token is for.", required=True)
    gateway_config_id = text("The config that it is for.", required=True)
    id = text("The token's id, to revoke it.", required=True)
    expires_at_ms = whole("When it expires, in Unix milliseconds.", required=True)


class GatewayTokenView(Closed):
    """The public fields of a gateway token."""

    id = text("The token's id.", required=True)
    status = word(
        "A damaged one is refused, and only its id is shown.", tuple(map(str, TokenStatus))
    )
    devbox_id = text("The box that it is for.", required=True)
    gateway_config_id = text("The config that it is for.", required=True)
    secret_id = text("The secret that it uses.", required=True)
    secret = text("The name of that secret.", required=True)
    api_key_id = text("The API key that minted it.", required=True)
    allow = rules("The requests that it permits; null for all that the config permits.")
    limits = nested(TokenLimitsEntry, "Its limits.")
    sources = TextList("The networks from which it may be used; empty for all.", few=MAX_SOURCES)
    pin = text("`first_use` or `none`.", required=True)
    pinned_address = text("The address that it is bound to, once it was used.", allow_none=True)
    create_time_ms = whole("When it was minted, in Unix milliseconds.", required=True)
    expires_at_ms = whole("When it expires, in Unix milliseconds.", required=True)
    revoked_at_ms = whole("When it was revoked, in Unix milliseconds.", allow_none=True)


class GatewayTokenListView(Closed):
    """One page of gateway tokens, newest first."""

    gateway_tokens = ListOf(GatewayTokenView, "The tokens of this page.")
    has_more = truth("Whether more tokens follow this page.")


@dataclass(frozen=True, slots=True)
class TokenListRequest(PageRequest):
    """The page of tokens that a client asks for."""

    wanted: TokenFilter = field(default_factory=TokenFilter)


class GatewayTokenListQuery(Input[TokenListRequest]):
    """The query of a list."""

    limit = Limit()
    starting_after = last_id(GATEWAY_TOKEN, "a gateway token")
    devbox_id = Matching(is_devbox_id, "must be the id of a box", "Only those of this box.")
    gateway_config_id = Matching(
        lambda given: is_id(given, GATEWAY_CONFIG),
        "must be the id of a gateway config",
        "Only those for this config.",
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> TokenListRequest:
        wanted = TokenFilter(
            devbox_id=data.pop("devbox_id", None), config_id=data.pop("gateway_config_id", None)
        )
        return TokenListRequest(wanted=wanted, **data)


class GatewayTokensRevokeParameters(Input[str]):
    """The box whose tokens to revoke."""

    example = MappingProxyType({"devbox_id": "dbx_1"})

    devbox_id = text("The box.", required=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> str:
        return str(data["devbox_id"])


class GatewayTokensRevokedView(Closed):
    """The number of tokens that were revoked."""

    revoked = whole("How many live tokens there were.", required=True)


class GatewayUseView(Closed):
    """One request that the gateway was admitted to carry."""

    id = text("The use's id.", required=True)
    gateway_token_id = text("The token.", required=True)
    gateway_config_id = text("The config.", required=True)
    secret_id = text("The secret.", required=True)
    method = text("The method; empty for a damaged row.", required=True)
    path = text("The path without the query.", required=True)
    address = text("The address of the client.", allow_none=True)
    create_time_ms = whole("When it was admitted, in Unix milliseconds.", required=True)
    status = whole("The upstream's status; null until it ended.", bits=32, allow_none=True)
    bytes_in = whole("Bytes of the request's body.", allow_none=True)
    bytes_out = whole("Bytes of the answer's body.", allow_none=True)
    milliseconds = whole("How long it took.", allow_none=True)
    scrub_hits = whole("How often the secret stood in the answer.", allow_none=True)


class GatewayUseListView(Closed):
    """One page of uses, newest first."""

    gateway_uses = ListOf(GatewayUseView, "The uses of this page.")
    has_more = truth("Whether more uses follow this page.")


@dataclass(frozen=True, slots=True)
class UseListRequest(PageRequest):
    """The page of uses that a client asks for."""

    gateway_token_id: str | None = None


class GatewayUseListQuery(Input[UseListRequest]):
    """The query of a list."""

    limit = Limit()
    starting_after = last_id(GATEWAY_USE, "a gateway use")
    gateway_token_id = Matching(
        lambda given: is_id(given, GATEWAY_TOKEN),
        "must be the id of a gateway token",
        "Only those of this token.",
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> UseListRequest:
        return UseListRequest(**data)
