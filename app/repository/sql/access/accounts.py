"""Accounts in SQL."""

from sqlalchemy import bindparam, select

from app.domain.access.accounts import Account
from app.domain.guarded import Guarded
from app.repository.collections.access import AccountRepository
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import GuardedRows, GuardedTable
from app.repository.sql.tables import accounts

ACCOUNTS = GuardedTable(accounts, Account)
_NAMED = ACCOUNTS.rows.where(accounts.c.name == bindparam("of_name"))
_IDS = Paged(select(accounts.c.id), accounts.c.id)


class SqlAccounts(GuardedRows[Account], AccountRepository):
    """Accounts."""

    _table = ACCOUNTS

    def get(self, account_id: str) -> Guarded[Account] | None:
        return self._get(account_id)

    def named(self, name: str) -> Guarded[Account] | None:
        row = self._statements.first(self._statements.lockable(_NAMED), {"of_name": name})
        return None if row is None else ACCOUNTS.columns.parse(row)

    def ids(self, after_id: str | None, limit: int) -> list[str]:
        after = None if after_id is None else (after_id,)
        return [row[0] for row in _IDS.rows(self._statements, after, limit)]
