"""Accounts: they own secrets, API keys and injections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.domain.guarded import GuardedField, MacLayouts

SYSTEM_ACCOUNT_ID = "_system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One tenant.

    Attributes:
        devbox: The devbox capability: without it the API answers 403.
        created_at_ms: Unix milliseconds.
    """

    table: ClassVar[str] = "accounts"
    mac_layouts: ClassVar[MacLayouts] = MacLayouts()

    id: str
    name: str
    devbox: bool
    created_at_ms: int

    def columns(self) -> Mapping[str, GuardedField]:
        """Every column."""
        return {
            "id": self.id,
            "name": self.name,
            "devbox": int(self.devbox),
            "created_at_ms": self.created_at_ms,
        }
