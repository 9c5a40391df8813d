"""The usage of an account, and its limits."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

ROW_BYTES = 512
"""The bytes of a row beside its large column: its other columns, its indexes, its MAC."""


class CountedTable(StrEnum):
    """A table whose rows count."""

    SECRETS = "secrets"
    SECRET_VERSIONS = "secret_versions"  # noqa: S105 - a table
    INJECTIONS = "injections"
    API_KEYS = "api_keys"
    STORED_RESPONSES = "stored_responses"
    GATEWAY_CONFIGS = "gateway_configs"
    GATEWAY_TOKENS = "gateway_tokens"
    GATEWAY_USES = "gateway_uses"

    def usage(self, rows: int, size: int) -> "Usage":
        """The usage of so many rows."""
        used = Usage(bytes=size)
        return used._replace(**{self.value: rows}) if self.value in Usage._fields else used


class Usage(NamedTuple):
    """Rows of an account, and the bytes that all of them take; also a change, or limits.

    Old versions, stored responses and the rows of gateways count in bytes only.
    """

    secrets: int = 0
    injections: int = 0
    api_keys: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class CountedUsage:
    """The usage of an account when it was counted.

    Attributes:
        counted_at_ms: When the count began, in Unix milliseconds.
    """

    usage: Usage
    counted_at_ms: int
