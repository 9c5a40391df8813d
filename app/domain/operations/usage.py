"""What an account holds, and how much it may hold."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.domain.errors import AccountLimitReached

ROW_BYTES = 512
"""What a row counts for beside its large column: its other columns, its indexes, its MAC."""


class CountedTable(StrEnum):
    """A table whose rows count."""

    SECRETS = "secrets"
    INJECTIONS = "injections"
    API_KEYS = "api_keys"
    STORED_RESPONSES = "stored_responses"

    def usage(self, rows: int, size: int) -> "Usage":
        """What so many rows count for."""
        if self is CountedTable.STORED_RESPONSES:
            return Usage(bytes=size)
        return Usage(bytes=size)._replace(**{self.value: rows})


class Usage(NamedTuple):
    """Rows of an account, and the bytes that all of them take; also a change, or a ceiling.

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

    def require_room(self, adding: "Usage", ceiling: "Usage") -> None:
        """Refuse to add what would be over a ceiling; a ceiling of what is not added is no matter.

        Raises:
            AccountLimitReached: Names the ceiling.
        """
        for name, held, added, most in zip(self._fields, self, adding, ceiling, strict=True):
            if added > 0 and held + added > most:
                raise AccountLimitReached(_WORDS[name], most)


_WORDS = {
    "secrets": "secrets",
    "injections": "injections",
    "api_keys": "API keys",
    "bytes": "bytes",
}


@dataclass(frozen=True, slots=True)
class CountedUsage:
    """What an account held when it was counted.

    Attributes:
        counted_at_ms: When the count began, in Unix milliseconds.
    """

    usage: Usage
    counted_at_ms: int
