"""Schemas of API keys; a key is shown once."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from marshmallow import post_load, validate

from app.api.schemas.base import Closed, Input, ListOf, text, whole, word
from app.domain.access.scopes import ACCESS_LEVELS, RESOURCE_TYPES, Scope, scopes_granted

_LATEST_MS = 2**53 - 1
_MAX_SCOPES = 64


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """An API key to issue.

    Attributes:
        expires_at_ms: Unix milliseconds; ``None`` to expire with the key that asks.
        scopes: ``None`` for all scopes of the key that asks.
    """

    name: str
    expires_at_ms: int | None
    scopes: frozenset[Scope] | None


class ApiKeyCreateParameters(Input[NewApiKey]):
    """An API key with the scopes of the key that asks."""

    example = MappingProxyType({"name": "continuous integration"})

    name = text("A name for the key.", load_default="API key")
    expires_at_ms = whole(
        "When the key expires, in Unix milliseconds; if absent, with the key that asks.",
        load_default=None,
        # A double holds these exactly, so JavaScript reads back what it sent.
        validate=validate.Range(0, _LATEST_MS, error="must be from {min} to {max}"),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewApiKey:
        return NewApiKey(data["name"], data["expires_at_ms"], None)


class ScopeEntry(Closed):
    """One permission, in the words of the hosted API."""

    resource_type = word("The kind of resource.", RESOURCE_TYPES)
    access_level = word("The level of access.", ACCESS_LEVELS)


class RestrictedKeyCreateParameters(ApiKeyCreateParameters):
    """An API key with the listed permissions only."""

    example = MappingProxyType(
        {
            "name": "reads the names of secrets",
            "scopes": [
                {"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ"}
            ],
        }
    )

    scopes = ListOf(
        ScopeEntry,
        "The permissions. Those for resources of the hosted API only grant nothing; one must "
        "grant something.",
        validate=validate.Length(max=_MAX_SCOPES, error="must hold at most {max} entries"),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewApiKey:
        granted = (scopes_granted(e["resource_type"], e["access_level"]) for e in data["scopes"])
        return NewApiKey(data["name"], data["expires_at_ms"], frozenset().union(*granted))


class ApiKeyCreatedView(Closed):
    """A new API key, shown this once."""

    id = text("The key's id.", required=True)
    name = text("The key's name.", required=True)
    key_secret = text("The key itself, to send as the bearer token.", required=True)
    expires_at_ms = whole(
        "When the key expires, in Unix milliseconds.", required=True, allow_none=True
    )


class RestrictedKeyCreatedView(ApiKeyCreatedView):
    """A new restricted key, shown this once, with its permissions."""

    scopes = ListOf(ScopeEntry, "The permissions that the key has.")
