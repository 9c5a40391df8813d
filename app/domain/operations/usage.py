"""The usage of an account, and its limits."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.domain.errors import AccountLimitReached

ROW_BYTES = 512
"""The bytes of a row beside its large column: its other columns, its indexes, its MAC."""


class CountedTable(StrEnum):
    """A table whose rows count."""

    SECRETS = "secrets"
    INJECTIONS = "injections"
    API_KEYS = "api_keys"
    STORED_RESPONSES = "stored_responses"

    def usage(self, rows: int, size: int) -> "Usage":
        """The usage of so many rows."""
        if self is CountedTable.STORED_RESPONSES:
            return Usage(bytes=size)
        return Usage(bytes=size)._replace(**{self.value: rows})


class Usage(NamedTuple):
    """Rows of an account, and the bytes that all of them take; also a change, or limits.

    Stored responses count in bytes only.
    """

    secrets: int = 0
    injections: int = 0
    api_keys: int = 0
    bytes: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """The sum of both."""
        # Spelled out: each write adds twice, and a loop takes four times as long.
        return Usage(
            self.secrets + other.secrets,
            self.injections + other.injections,
            self.api_keys + other.api_keys,
            self.bytes + other.bytes,
        )

    def require_room(self, adding: "Usage", limits: "Usage") -> None:
        """Refuse to add what would exceed a limit. Only limits of what is added are compared.

        Raises:
            AccountLimitReached: Names the limit.
        """
        for what, used, added, limit in zip(_WORDS, self, adding, limits, strict=True):
            if added > 0 and used + added > limit:
                raise AccountLimitReached(what, limit)


_WORDS = ("secrets", "injections", "API keys", "bytes")


@dataclass(frozen=True, slots=True)
class CountedUsage:
    """The usage of an account when it was counted.

    Attributes:
        counted_at_ms: When the count began, in Unix milliseconds.
    """

    usage: Usage
    counted_at_ms: int
