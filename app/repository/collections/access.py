"""The collections of accounts and API keys."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position


class AccountRepository(Protocol):
    """Accounts."""

    def get(self, account_id: str) -> Guarded[Account] | None:
        """Return the account, or ``None``."""

    def named(self, name: str) -> Guarded[Account] | None:
        """Return the account of this name, or ``None``."""

    def add(self, account: Guarded[Account]) -> None:
        """Add a new account.

        Raises:
            Conflict: There is an account of this id or name.
        """

    def replace(self, account: Guarded[Account]) -> None:
        """Write all columns of an account that exists."""

    def sweep(self, after: Position | None, limit: int) -> Batch[Account]:
        """Read up to ``limit`` accounts, oldest first: an operator's sweep."""

    def ids(self, after_id: str | None, limit: int) -> list[str]:
        """Read up to ``limit`` ids of accounts above ``after_id``, as stored."""


class ApiKeyRepository(Protocol):
    """API keys."""

    def get(self, account_id: str, key_id: str) -> Guarded[ApiKey] | None:
        """Return the API key, or ``None``; in a unit of work its row is locked."""

    def get_with_account(
        self, account_id: str, key_id: str
    ) -> tuple[Guarded[ApiKey], Guarded[Account]] | None:
        """Return the API key and the account that owns it, in one round trip, or ``None``."""

    def find(self, account_id: str, key_ids: Sequence[str]) -> list[Guarded[ApiKey]]:
        """Return those of these API keys that exist, in one round trip."""

    def page(self, account_id: str, after: Position | None, limit: int) -> Batch[ApiKey]:
        """Read up to ``limit`` API keys of the account, oldest first."""

    def sweep(self, after: Position | None, limit: int) -> Batch[ApiKey]:
        """Read up to ``limit`` API keys of all accounts: an operator's sweep."""

    def delete_unused(self, account_id: str, key_ids: Sequence[str]) -> int:
        """Delete those of these keys that made nothing that is still there.

        Returns:
            The number deleted.
        """

    def add(self, key: Guarded[ApiKey]) -> None:
        """Add a new API key."""

    def replace(self, key: Guarded[ApiKey]) -> None:
        """Write all columns of an API key that exists."""
