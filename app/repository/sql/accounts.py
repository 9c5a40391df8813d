"""Accounts in SQL."""

from sqlalchemy import bindparam, select, update

from app.domain.access.accounts import Account
from app.domain.columns import GuardedColumns
from app.domain.guarded import Guarded
from app.repository.collections.access import AccountRepository
from app.repository.collections.batches import Batch, Position
from app.repository.sql.driver import fields
from app.repository.sql.driver.statements import InsertUnlessThere, Statements
from app.repository.sql.tables import accounts

ACCOUNTS = GuardedColumns(Account)

_COLUMNS = tuple(accounts.c)
_GET = select(*_COLUMNS).where(accounts.c.id == bindparam("account_id"))
_SWEEP = select(*_COLUMNS).order_by(accounts.c.id).limit(bindparam("limit"))
_SWEEP_ON = _SWEEP.where(accounts.c.id > bindparam("after_id"))
_IDS = select(accounts.c.id).order_by(accounts.c.id).limit(bindparam("limit"))
_IDS_ON = _IDS.where(accounts.c.id > bindparam("after_id"))
_ADD = InsertUnlessThere(accounts)
_REPLACE = update(accounts).where(accounts.c.id == bindparam("account_id"))


class SqlAccounts(AccountRepository):
    """Accounts."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, account_id: str) -> Guarded[Account] | None:
        row = self._statements.first(_GET, {"account_id": account_id})
        return None if row is None else ACCOUNTS.parse(row)

    def add(self, account: Guarded[Account]) -> None:
        self._statements.insert(_ADD, ACCOUNTS.dump(account))

    def replace(self, account: Guarded[Account]) -> None:
        self._statements.write(
            _REPLACE, {"account_id": account.unverified.id, **ACCOUNTS.dump(account)}
        )

    def sweep(self, after: Position | None, limit: int) -> Batch[Account]:
        statement, parameters = _SWEEP, {"limit": limit + 1}
        if after is not None:
            statement, (parameters["after_id"],) = _SWEEP_ON, after
        return fields.batch(
            ACCOUNTS.parse, self._statements.all(statement, parameters), limit, (0,)
        )

    def ids(self, after_id: str | None, limit: int) -> list[str]:
        statement = _IDS if after_id is None else _IDS_ON
        rows = self._statements.all(statement, {"limit": limit, "after_id": after_id})
        return [row[0] for row in rows]
