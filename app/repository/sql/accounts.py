"""Accounts in SQL."""

from sqlalchemy import bindparam, select, update

from app.domain.access.accounts import Account
from app.domain.guarded import Guarded
from app.repository.collections.access import AccountRepository
from app.repository.collections.batches import Batch, Position
from app.repository.sql.driver import fields
from app.repository.sql.driver.fields import Row
from app.repository.sql.driver.prepared import InsertUnlessThere, Parameters
from app.repository.sql.driver.statements import Statements
from app.repository.sql.tables import accounts

_COLUMNS = tuple(accounts.c)
_GET = select(*_COLUMNS).where(accounts.c.id == bindparam("account_id"))
_SWEEP = select(*_COLUMNS).order_by(accounts.c.id).limit(bindparam("most"))
_SWEEP_ON = _SWEEP.where(accounts.c.id > bindparam("after_id"))
_IDS = select(accounts.c.id).order_by(accounts.c.id).limit(bindparam("most"))
_IDS_ON = _IDS.where(accounts.c.id > bindparam("after_id"))
_ADD = InsertUnlessThere(accounts)

# Parsed where there is no such row, so that the time it takes does not tell.
NO_ACCOUNT: Row = ("", "", 1, 0, "", b"")
_REPLACE = update(accounts).where(accounts.c.id == bindparam("account_id"))


class SqlAccounts(AccountRepository):
    """Accounts."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, account_id: str) -> Guarded[Account] | None:
        """The account, or ``None``."""
        row = self._statements.first(_GET, {"account_id": account_id})
        return None if row is None else parse_account(row)

    def add(self, account: Guarded[Account]) -> None:
        """Add a new account."""
        self._statements.insert(_ADD, _values(account))

    def replace(self, account: Guarded[Account]) -> None:
        """Write all columns of an account that exists."""
        self._statements.write(_REPLACE, {"account_id": account.unverified.id, **_values(account)})

    def sweep(self, after: Position | None, limit: int) -> Batch[Account]:
        """At most ``limit`` accounts, oldest first."""
        statement, parameters = _SWEEP, {"most": limit + 1}
        if after is not None:
            statement, (parameters["after_id"],) = _SWEEP_ON, after
        return fields.batch(parse_account, self._statements.all(statement, parameters), limit, (0,))

    def ids(self, after_id: str | None, limit: int) -> list[str]:
        """The ids of at most ``limit`` accounts, as stored."""
        statement = _IDS if after_id is None else _IDS_ON
        rows = self._statements.all(statement, {"most": limit, "after_id": after_id})
        return [row[0] for row in rows]


@fields.parses(Account.table, (None, 0))
def parse_account(row: Row) -> Guarded[Account]:
    """The account in a row whose columns are those of the table, in order."""
    account_id, name, devbox, created_at_ms, mac_key_id, mac = row
    account = Account(
        id=fields.text(account_id),
        name=fields.text(name),
        devbox=fields.flag(devbox),
        created_at_ms=fields.number(created_at_ms),
    )
    return Guarded(account, fields.mac(mac_key_id, mac))


def _values(guarded: Guarded[Account]) -> Parameters:
    account = guarded.unverified
    return {
        "id": account.id,
        "name": account.name,
        "devbox": int(account.devbox),
        "created_at_ms": account.created_at_ms,
        "mac_key_id": guarded.mac.key_id,
        "mac": guarded.mac.tag,
    }
