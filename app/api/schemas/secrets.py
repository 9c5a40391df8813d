"""Schemas of secrets. No response holds a value."""

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from marshmallow import post_load

from app.api.schemas.base import Closed, Input, ListOf, text, truth, whole
from app.api.schemas.queries import Limit, Matching, PageRequest, Truth, last_id
from app.domain.ids import SECRET
from app.domain.secrets import SecretFilter, SecretValue, could_be_name

_SEARCH = re.compile("[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret to create."""

    name: str
    value: SecretValue


class SecretCreateParameters(Input[NewSecret]):
    """A new secret."""

    example = MappingProxyType({"name": "GREETING", "value": "hello"})

    name = text("A name for an environment variable, unique within the account.", required=True)
    value = text("The value, stored as it is: nothing is trimmed.", required=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewSecret:
        return NewSecret(data["name"], SecretValue(data["value"]))


class SecretUpdateParameters(Input[SecretValue]):
    """A new value of a secret."""

    example = MappingProxyType({"value": "good morning"})

    value = text("The new value, stored as it is.", required=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> SecretValue:
        return SecretValue(data["value"])


class EmptyRecord(Input[None]):
    """An empty object."""

    @post_load
    def _load(self, _data: dict[str, Any], **_: object) -> None:
        return None


class SecretView(Closed):
    """The public fields of a secret."""

    id = text("The secret's id.", required=True)
    name = text("The secret's name.", required=True)
    create_time_ms = whole("When it was created, in Unix milliseconds.", required=True)
    update_time_ms = whole("When its value was last set, in Unix milliseconds.", required=True)


class SecretListView(Closed):
    """One page of secrets, newest first."""

    secrets = ListOf(SecretView, "The secrets of this page.")
    has_more = truth("Whether more secrets follow this page.")
    total_count = whole("The number of secrets on all pages.", bits=32, allow_none=True)


@dataclass(frozen=True, slots=True)
class ListRequest(PageRequest):
    """The page of secrets that a client asks for."""

    include_total_count: bool = True
    wanted: SecretFilter = field(default_factory=SecretFilter)


class SecretListQuery(Input[ListRequest]):
    """The query of a list."""

    limit = Limit()
    starting_after = last_id(SECRET, "a secret")
    name = Matching(
        could_be_name,
        "must be the name of a secret",
        "Only the secret of exactly this name.",
    )
    search = Matching(
        _SEARCH.fullmatch,
        "must be 1 to 255 ASCII letters, digits, underscores or hyphens",
        "Only secrets whose name contains this, in either case.",
    )
    include_total_count = Truth(
        error_messages={"invalid": "must be true or false"},
        metadata={"description": "Whether to count the secrets of all pages; true if absent."},
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> ListRequest:
        wanted = SecretFilter(name=data.pop("name", None), search=data.pop("search", None))
        return ListRequest(wanted=wanted, **data)
