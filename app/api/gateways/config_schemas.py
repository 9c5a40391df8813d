"""Schemas of gateway configs: the official fields, and ours beside them."""

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from marshmallow import post_load, validate

from app.api.schemas.base import (
    Closed,
    Flag,
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
from app.api.schemas.queries import Limit, Matching, PageRequest, Truth, last_id
from app.domain.access.labels import LABEL_LENGTH
from app.domain.gateways.configs import ConfigFilter
from app.domain.gateways.credentials import AuthMechanism, AuthType, NewCustomHeader
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.rules import MAX_RULES, Rule
from app.domain.ids import GATEWAY_CONFIG

_PART = re.compile(f"[^\\x00-\\x1f\\x7f]{{1,{LABEL_LENGTH}}}")
_FEW = validate.Length(max=64, error="must hold at most {max} entries")


class AuthMechanismEntry(Closed):
    """The header in which the upstream takes the secret."""

    type = word(
        "`bearer` and `basic` use Authorization, for basic the secret is USER:PASSWORD.",
        tuple(AuthType),
    )
    key = text("The name of the header, for the type `header` alone.", allow_none=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> AuthMechanism:
        return AuthMechanism(AuthType(data["type"]), data.get("key"))


class CustomHeaderEntry(Closed):
    """One more header of every request; either a secret or a value."""

    name = text("The name of the header.", required=True)
    secret = text("The name or the id of a secret.", allow_none=True)
    value = text("A value that is stored and shown in clear.", allow_none=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewCustomHeader:
        return NewCustomHeader(data["name"], data.get("secret"), data.get("value"))


class RuleEntry(Closed):
    """Requests by method and path, below the endpoint."""

    methods = TextList("Methods in capital letters; all if absent. HEAD follows GET.", few=16)
    path = text("A path; `*` stands for any part of one segment, `**` for any text.", required=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> Rule:
        return Rule(tuple(data.get("methods") or ()), data["path"])


def rules(description: str) -> NullableListOf:
    """Make the field of rules."""
    few = validate.Length(max=MAX_RULES, error="must hold at most {max} entries")
    return NullableListOf(RuleEntry, description, validate=few)


class GatewayConfigUpdateParameters(Input[ConfigDraft]):
    """Changes of a gateway config. A field that is absent or null stays as it is."""

    example = MappingProxyType({"description": "Our account at the example API."})

    name = text("Unique within the account; names of the system are reserved.", allow_none=True)
    description = text("For people.", allow_none=True)
    endpoint = text(
        "The https URL of the upstream: a host, and perhaps a port and a base path.",
        allow_none=True,
    )
    auth_mechanism = nested(AuthMechanismEntry, "The way in which the upstream takes the secret.")
    custom_headers = NullableListOf(
        CustomHeaderEntry, "More headers, 8 at most; an empty list removes them.", validate=_FEW
    )
    allow = rules("The requests that are permitted; an empty list permits all.")
    deny = rules("Requests that are refused, whatever is permitted.")
    secrets = TextList(
        "The secrets that a token may join to it: names, or beginnings with `*` at the end; an "
        "empty list admits all.",
        few=64,
    )
    deny_query = TextList(
        "Names of query parameters in which the upstream takes credentials: requests with one of "
        "them are refused.",
        few=32,
    )
    scrub = Flag("Whether answers are searched for the secret; true if absent.")

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> ConfigDraft:
        given = {name: value for name, value in data.items() if value is not None}
        auth = given.pop("auth_mechanism", None)
        lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return ConfigDraft(auth=auth, **(given | lists))


class GatewayConfigCreateParameters(GatewayConfigUpdateParameters):
    """A new gateway config."""

    example = MappingProxyType(
        {
            "name": "example-api",
            "endpoint": "https://api.example.com",
            "auth_mechanism": {"type": "bearer"},
        }
    )

    name = text("Unique within the account; names of the system are reserved.", required=True)
    endpoint = text(
        "The https URL of the upstream: a host, and perhaps a port and a base path.", required=True
    )
    auth_mechanism = nested(
        AuthMechanismEntry, "The way in which the upstream takes the secret.", required=True
    )


class GatewayConfigView(Closed):
    """The public fields of a gateway config."""

    id = text("The config's id.", required=True)
    name = text("The config's name; empty for a damaged one, which can only be deleted.")
    account_id = text("The account; null for a config of the system.", allow_none=True)
    description = text("For people.", allow_none=True)
    endpoint = text("The URL of the upstream.", required=True)
    auth_mechanism = nested(AuthMechanismEntry, "The way in which the upstream takes the secret.")
    custom_headers = NullableListOf(CustomHeaderEntry, "More headers, secrets by their ids.")
    allow = rules("The requests that are permitted; null for all.")
    deny = rules("Requests that are refused.")
    secrets = TextList("The secrets that may be joined to it; null for all.", few=64)
    deny_query = TextList("Names of query parameters that are refused.", few=32)
    scrub = truth("Whether answers are searched for the secret.")
    create_time_ms = whole("When it was created, in Unix milliseconds.", required=True)


class GatewayConfigListView(Closed):
    """One page of gateway configs, newest first, those of the system last."""

    gateway_configs = ListOf(GatewayConfigView, "The configs of this page.")
    has_more = truth("Whether more configs follow this page.")
    total_count = whole("The number of configs on all pages.", bits=32, allow_none=True)


@dataclass(frozen=True, slots=True)
class ConfigListRequest(PageRequest):
    """The page of configs that a client asks for."""

    include_total_count: bool = True
    wanted: ConfigFilter = field(default_factory=ConfigFilter)


class GatewayConfigListQuery(Input[ConfigListRequest]):
    """The query of a list."""

    limit = Limit()
    starting_after = last_id(GATEWAY_CONFIG, "a gateway config")
    id = Matching(
        _PART.fullmatch, f"must be 1 to {LABEL_LENGTH} characters", "Only the config of this id."
    )
    name = Matching(
        _PART.fullmatch,
        f"must be 1 to {LABEL_LENGTH} characters",
        "Only configs whose name contains this, in either case.",
    )
    search = Matching(
        _PART.fullmatch,
        f"must be 1 to {LABEL_LENGTH} characters",
        "Only configs of this id, or whose name contains this, in either case.",
    )
    include_total_count = Truth(
        error_messages={"invalid": "must be true or false"},
        metadata={"description": "Whether to count the configs of all pages; true if absent."},
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> ConfigListRequest:
        parts = {name: data.pop(name) for name in ("id", "name", "search") if name in data}
        return ConfigListRequest(wanted=ConfigFilter(**parts), **data)
