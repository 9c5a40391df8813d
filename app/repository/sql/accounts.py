"""Accounts in SQL."""

from sqlalchemy import select

from app.domain.access.accounts import Account
from app.domain.guarded import Guarded
from app.repository.collections.access import AccountRepository
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import GuardedRows, GuardedTable
from app.repository.sql.tables import accounts

ACCOUNTS = GuardedTable(accounts, Account)
_IDS = Paged(select(accounts.c.id), accounts.c.id)


class SqlAccounts(GuardedRows[Account], AccountRepository):
    """Accounts."""

    _table = ACCOUNTS

    def get(self, account_id: str) -> Guarded[Account] | None:
        return self._get(account_id)

    def ids(self, after_id: str | None, limit: int) -> list[str]:
        after = None if after_id is None else (after_id,)
        return [row[0] for row in _IDS.rows(self._statements, after, limit)]
