"""Accounts: they own secrets, API keys and injections."""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.columns import StoredRow

SYSTEM_ACCOUNT_ID = "_system"


@dataclass(frozen=True, slots=True)
class Account(StoredRow):
    """One tenant.

    Attributes:
        devbox: The devbox capability: without it the API answers 403.
        created_at_ms: Unix milliseconds.
    """

    table: ClassVar[str] = "accounts"

    id: str
    name: str
    devbox: bool
    created_at_ms: int
