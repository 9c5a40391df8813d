"""Secrets as clients send and see them. No view holds a value."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marshmallow import fields, post_load

from app.api.schemas.base import Closed, Input, ListOf, text, truth, whole
from app.domain.ids import SECRET, is_id
from app.domain.secrets import SecretFilter, SecretValue, could_be_name

DEFAULT_LIMIT = 20
MAX_LIMIT = 5000

_LIMIT = re.compile("[1-9][0-9]{0,3}")
_SEARCH = re.compile("[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret to keep."""

    name: str
    value: SecretValue


class SecretCreateParameters(Input[NewSecret]):
    """A new secret."""

    name = text("A name for an environment variable, unique within the account.", required=True)
    value = text("What to keep, as it is: nothing is trimmed.", required=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> NewSecret:
        return NewSecret(data["name"], SecretValue(data["value"]))


class SecretUpdateParameters(Input[SecretValue]):
    """A new value of a secret."""

    value = text("What to keep from now on, as it is.", required=True)

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> SecretValue:
        return SecretValue(data["value"])


class EmptyRecord(Input[None]):
    """Nothing."""

    @post_load
    def _load(self, _data: dict[str, Any], **_: object) -> None:
        return None


class SecretView(Closed):
    """What is told of a secret."""

    id = text("The secret's id.", required=True)
    name = text("The secret's name.", required=True)
    create_time_ms = whole("When it was created, in Unix milliseconds.", required=True)
    update_time_ms = whole("When its value was last set, in Unix milliseconds.", required=True)


class SecretListView(Closed):
    """One page of secrets, newest first."""

    secrets = ListOf(SecretView, "The secrets of this page.")
    has_more = truth("Whether more secrets follow this page.")
    total_count = whole("How many secrets all pages hold.", bits=32, allow_none=True)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which page of the secrets is wanted."""

    limit: int = DEFAULT_LIMIT
    starting_after: str | None = None
    include_total_count: bool = True
    wanted: SecretFilter = field(default_factory=SecretFilter)


class _Limit(fields.Integer):
    """Decimal ASCII digits; marshmallow's own integer takes any script's, and underscores."""

    def _deserialize(self, value: str, *_: object, **__: object) -> int:
        if not value:
            return DEFAULT_LIMIT
        if not _LIMIT.fullmatch(value) or int(value) > MAX_LIMIT:
            raise self.make_error("invalid")
        return int(value)


class _Truth(fields.Boolean):
    """``true`` or ``false``; marshmallow's own boolean takes yes, on, 1 and more."""

    def _deserialize(self, value: str, *_: object, **__: object) -> bool:
        if value not in {"true", "false"}:
            raise self.make_error("invalid")
        return value == "true"


class _Matching(fields.String):
    """A string that passes a test."""

    def __init__(self, test: Callable[[str], object], rule: str, description: str) -> None:
        super().__init__(error_messages={"invalid": rule}, metadata={"description": description})
        self._test = test

    def _deserialize(self, value: str, *_: object, **__: object) -> str:
        if not self._test(value):
            raise self.make_error("invalid")
        return value


class SecretListQuery(Input[ListRequest]):
    """The query of a list."""

    limit = _Limit(
        error_messages={"invalid": f"must be an integer from 1 to {MAX_LIMIT}"},
        metadata={
            "description": f"The size of the page, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} if absent.",
            "format": "int32",
            "allowEmptyValue": True,
        },
    )
    starting_after = _Matching(
        lambda text: is_id(text, SECRET),
        "must be the id of a secret",
        "The last id of the page before.",
    )
    name = _Matching(
        could_be_name,
        "must be the name of a secret",
        "Only the secret of exactly this name.",
    )
    search = _Matching(
        _SEARCH.fullmatch,
        "must be 1 to 255 ASCII letters, digits, underscores or hyphens",
        "Only secrets whose name contains this, in either case.",
    )
    include_total_count = _Truth(
        error_messages={"invalid": "must be true or false"},
        metadata={"description": "Whether to count the secrets of all pages; true if absent."},
    )

    @post_load
    def _load(self, data: dict[str, Any], **_: object) -> ListRequest:
        wanted = SecretFilter(name=data.pop("name", None), search=data.pop("search", None))
        return ListRequest(wanted=wanted, **data)
