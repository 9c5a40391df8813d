"""The end of an account: everything of it is deleted, in batches, while others are served.

First the account loses the devbox capability, so that nobody can use or add secrets. Then its rows
go, in transactions of a bounded size, and its own row last. A deletion that was interrupted is run
again. The audit records stay until their retention ends: they are the evidence, and hold no name
and no value.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import Account
from app.domain.audit.actions import Action
from app.domain.errors import AccountInUse
from app.repository.base import Database
from app.services.accounts import Accounts
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey

_ROWS = 500
"""The rows that one transaction deletes at most."""

_ATTEMPTS = 10
"""The tries for the account's own row: requests that were under way may have added others."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of a deletion.

    Attributes:
        account_id: The account that is gone.
        rows: The rows that were deleted, by table.
        deleted_at_ms: When its own row was, in Unix milliseconds.
    """

    account_id: str
    rows: dict[str, int]
    deleted_at_ms: int


@dataclass(eq=False, repr=False)
class AccountDeletion:
    """Deletes accounts."""

    _database: Database
    _system_key: SystemKey
    _accounts: Accounts
    _clock: Clock
    _trail: AuditTrail

    def delete(self, account: Account) -> Receipt:
        """Delete everything of an account.

        Raises:
            AccountNotFound: There is no such account any more.
            AccountInUse: Its rows do not come to an end; try again.
        """
        opened = self._system_key.opened()
        self._accounts.set_devbox(account.id, devbox=False)
        deleted: Counter[str] = Counter()
        for _ in range(_ATTEMPTS):
            for rows in self._batches(opened, account.id):
                deleted.update(rows)
            if self._delete_own_row(opened, account.id, deleted):
                return Receipt(account.id, dict(deleted), self._clock())
        raise AccountInUse

    def _batches(self, opened: OpenedSystemKey, account_id: str) -> Iterator[dict[str, int]]:
        """Delete one batch after the other until none is left."""
        while True:
            with self._database.writing() as work:
                rows = work.account_rows.delete_some(account_id, _ROWS)
                if not rows:
                    return
                self._trail.commit(
                    work, opened, Action.ACCOUNT_EMPTIED, account_id, details={"rows": rows}
                )
            yield rows

    def _delete_own_row(
        self, opened: OpenedSystemKey, account_id: str, deleted: Counter[str]
    ) -> bool:
        with self._database.writing() as work:
            is_gone = work.account_rows.delete_account(account_id)
            if is_gone:
                details = {"rows": dict(deleted)}
                self._trail.commit(
                    work, opened, Action.ACCOUNT_DELETED, account_id, details=details
                )
            return is_gone
