"""The collection of all rows of one account, whatever their table."""

from typing import Protocol


class AccountRowsRepository(Protocol):
    """All rows of one account but its audit records, which stay as evidence."""

    def delete_some(self, account_id: str, limit: int) -> dict[str, int]:
        """Delete up to ``limit`` rows. Returns the number by table; empty when none is left."""

    def delete_account(self, account_id: str) -> bool:
        """Delete the account's own row, if no other row of it is left. Returns whether it was."""
