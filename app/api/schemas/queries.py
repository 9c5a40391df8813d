"""Query parameters of lists, parsed strictly from text."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from marshmallow import fields

from app.domain.ids import is_id

DEFAULT_LIMIT = 20
MAX_LIMIT = 5000

_LIMIT = re.compile("[1-9][0-9]{0,3}")


class Limit(fields.Integer):
    """Decimal ASCII digits; marshmallow's ``Integer`` also accepts underscores and other digits."""

    def __init__(self) -> None:
        super().__init__(
            error_messages={"invalid": f"must be an integer from 1 to {MAX_LIMIT}"},
            metadata={
                "description": f"The page's size, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} if absent.",
                "format": "int32",
                "allowEmptyValue": True,
            },
        )

    def _deserialize(self, value: str, *_: object, **__: object) -> int:
        if not value:
            return DEFAULT_LIMIT
        if not _LIMIT.fullmatch(value) or int(value) > MAX_LIMIT:
            raise self.make_error("invalid")
        return int(value)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page of a list that a client asks for."""

    limit: int = DEFAULT_LIMIT
    starting_after: str | None = None


class Truth(fields.Boolean):
    """``true`` or ``false``; marshmallow's ``Boolean`` also accepts yes, on, 1 and more."""

    def _deserialize(self, value: str, *_: object, **__: object) -> bool:
        if value not in {"true", "false"}:
            raise self.make_error("invalid")
        return value == "true"


class Matching(fields.String):
    """A string that passes a test."""

    def __init__(self, test: Callable[[str], object], rule: str, description: str) -> None:
        super().__init__(error_messages={"invalid": rule}, metadata={"description": description})
        self._test = test

    def _deserialize(self, value: str, *_: object, **__: object) -> str:
        if not self._test(value):
            raise self.make_error("invalid")
        return value


def last_id(prefix: str, kind: str) -> Matching:
    """Make the field for the last id of the page before, which is that of a ``kind``."""
    rule = f"must be the id of {kind}"
    return Matching(lambda text: is_id(text, prefix), rule, "The last id of the page before.")
