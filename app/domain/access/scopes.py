"""Scopes: the permissions of an API key."""

from enum import StrEnum


class Scope(StrEnum):
    """One permission of an API key."""

    SECRETS_READ = "secrets:read"
    SECRETS_WRITE = "secrets:write"
    SECRETS_INJECT = "secrets:inject"
    KEYS_WRITE = "keys:write"
    GATEWAYS_READ = "gateways:read"
    GATEWAYS_WRITE = "gateways:write"
    GATEWAYS_USE = "gateways:use"
    AUDIT_READ = "audit:read"


ALL_SCOPES = frozenset(Scope)

_GRANTS: dict[tuple[str, str], frozenset[Scope]] = {
    ("RESOURCE_TYPE_SECRETS", "ACCESS_LEVEL_READ"): frozenset({Scope.SECRETS_READ}),
    ("RESOURCE_TYPE_SECRETS", "ACCESS_LEVEL_WRITE"): frozenset(
        {Scope.SECRETS_READ, Scope.SECRETS_WRITE}
    ),
    ("RESOURCE_TYPE_DEVBOXES", "ACCESS_LEVEL_WRITE"): frozenset(
        {Scope.SECRETS_INJECT, Scope.GATEWAYS_USE}
    ),
    ("RESOURCE_TYPE_GATEWAYS", "ACCESS_LEVEL_READ"): frozenset({Scope.GATEWAYS_READ}),
    ("RESOURCE_TYPE_GATEWAYS", "ACCESS_LEVEL_WRITE"): frozenset(
        {Scope.GATEWAYS_READ, Scope.GATEWAYS_WRITE}
    ),
    ("RESOURCE_TYPE_ACCOUNT", "ACCESS_LEVEL_WRITE"): frozenset({Scope.KEYS_WRITE}),
}

RESOURCE_TYPES = (
    "RESOURCE_TYPE_SECRETS",
    "RESOURCE_TYPE_DEVBOXES",
    "RESOURCE_TYPE_BLUEPRINTS",
    "RESOURCE_TYPE_SNAPSHOTS",
    "RESOURCE_TYPE_OBJECTS",
    "RESOURCE_TYPE_ACCOUNT",
    "RESOURCE_TYPE_GATEWAYS",
)
ACCESS_LEVELS = ("ACCESS_LEVEL_NONE", "ACCESS_LEVEL_READ", "ACCESS_LEVEL_WRITE")


GRANTING_PAIRS = tuple(_GRANTS)
"""The official pairs of a resource type and an access level that grant something here."""


def scopes_granted(resource_type: str, access_level: str) -> frozenset[Scope]:
    """Our scopes for one official pair; those that name what we do not have give nothing."""
    return _GRANTS.get((resource_type, access_level), frozenset())


def granting_pairs(scopes: frozenset[Scope]) -> list[tuple[str, str]]:
    """Return the fewest official pairs that grant these scopes, which pairs granted."""
    within = {pair: granted for pair, granted in _GRANTS.items() if granted <= scopes}
    return [
        pair for pair, granted in within.items() if not any(map(granted.__lt__, within.values()))
    ]
