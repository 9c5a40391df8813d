"""Schemas of the versions of secrets. No response holds a value."""

from types import MappingProxyType
from typing import Any

from marshmallow import post_load
from marshmallow.validate import Range

from app.api.schemas.base import Closed, Input, ListOf, text, truth, whole
from app.domain.secret_versions import LARGEST_VERSION


class SecretRollbackParameters(Input[int]):
    """The version whose value is to be the current one again."""

    example = MappingProxyType({"version": 1})

    version = whole(
        "The number of an old version.",
        required=True,
        validate=Range(1, LARGEST_VERSION, error="must be the number of a version"),
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> int:
        version: int = data["version"]
        return version


class SecretRollbackView(Closed):
    """A secret whose current value is that of an old version."""

    id = text("The secret's id.", required=True)
    name = text("The secret's name.", required=True)
    create_time_ms = whole("When it was created, in Unix milliseconds.", required=True)
    update_time_ms = whole("When its value was last set, in Unix milliseconds.", required=True)
    version = whole("The number of the current version, a new one.", required=True)
    restored_version = whole("The number of the version with the same value.", required=True)


class SecretVersionView(Closed):
    """One version of a secret."""

    version = whole("Its number. No number comes twice.", required=True)
    create_time_ms = whole("When its value was set, in Unix milliseconds.", required=True)
    created_by = text(
        "The id of the API key that set it; null where the version before it is gone.",
        required=True,
        allow_none=True,
    )
    is_current = truth("Whether it is the one that is handed out.")


class SecretVersionListView(Closed):
    """The versions of a secret, the current one first."""

    versions = ListOf(SecretVersionView, "The current version and the old ones that are stored.")


class SecretVersionsDeletedView(Closed):
    """The number of versions that were deleted."""

    deleted = whole("How many were deleted.", bits=32, required=True)
