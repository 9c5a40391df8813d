"""API keys as clients ask for them and see them, once."""

from dataclasses import dataclass
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
        expires_at_ms: Unix milliseconds; ``None`` for as long as the asking key lives.
        scopes: ``None`` for all that the asking key has.
    """

    name: str
    expires_at_ms: int | None
    scopes: frozenset[Scope] | None


class ApiKeyCreateParameters(Input[NewApiKey]):
    """An API key that may do what the asking key may."""

    name = text("What to call the key.", load_default="API key")
    expires_at_ms = whole(
        "When the key ends, in Unix milliseconds; with the asking key if absent.",
        load_default=None,
        # What a double holds exactly, so that JavaScript reads back what it sent.
        validate=validate.Range(0, _LATEST_MS, error="must be from {min} to {max}"),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewApiKey:
        return NewApiKey(data["name"], data["expires_at_ms"], None)


class ScopeEntry(Closed):
    """One permission, in the words of the official API."""

    resource_type = word("What the permission is for.", RESOURCE_TYPES)
    access_level = word("How far it goes.", ACCESS_LEVELS)


class RestrictedKeyCreateParameters(ApiKeyCreateParameters):
    """An API key that may do only what is listed."""

    scopes = ListOf(
        ScopeEntry,
        "What the key may do; what this server does not have is accepted and gives nothing.",
        validate=validate.Length(max=_MAX_SCOPES, error="must hold at most {max} entries"),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewApiKey:
        granted = (scopes_granted(e["resource_type"], e["access_level"]) for e in data["scopes"])
        return NewApiKey(data["name"], data["expires_at_ms"], frozenset().union(*granted))


class ApiKeyCreatedView(Closed):
    """A new API key, shown this once."""

    id = text("The key's id.", required=True)
    name = text("What the key is called.", required=True)
    key_secret = text("The key itself, to send as the bearer token.", required=True)
    expires_at_ms = whole(
        "When the key ends, in Unix milliseconds.", required=True, allow_none=True
    )
