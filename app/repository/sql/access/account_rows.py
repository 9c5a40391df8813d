"""All rows of one account, in every table but those of the audit trail.

The tables follow from the schema: a new one with a column ``account_id`` is among them.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Delete, Table, and_, bindparam, delete, exists, not_, select, tuple_

from app.repository.collections.account_rows import AccountRowsRepository
from app.repository.sql.driver.dialect import is_among
from app.repository.sql.driver.statements import Collection
from app.repository.sql.tables import accounts, metadata

_TRAIL = "audit_"
_ACCOUNT = "account_id"

_OWNED: Sequence[Table] = [
    table
    for table in reversed(metadata.sorted_tables)  # those that refer to others come first
    if _ACCOUNT in table.c and not table.name.startswith(_TRAIL)
]


def _own(table: Table) -> Column[str]:
    column: Column[str] = table.c[_ACCOUNT]
    return column


def _delete_some(table: Table) -> Delete:
    key = [column for column in table.primary_key if column.name != _ACCOUNT]
    own = _own(table) == bindparam("of_account_id")
    if not key:
        return delete(table).where(own)
    some = select(*key).where(own).limit(bindparam("limit"))
    return delete(table).where(own, is_among(tuple_(*key), some))


_DELETE_SOME = {str(table.name): _delete_some(table) for table in _OWNED}
_DELETE_ACCOUNT = delete(accounts).where(
    accounts.c.id == bindparam("of_account_id"),
    and_(
        *(
            not_(exists(select(_own(table)).where(_own(table) == bindparam("of_account_id"))))
            for table in _OWNED
        )
    ),
)


class SqlAccountRows(Collection, AccountRowsRepository):
    """All rows of one account."""

    def delete_some(self, account_id: str, limit: int) -> dict[str, int]:
        deleted: dict[str, int] = {}
        parameters = {"of_account_id": account_id}
        for table, statement in _DELETE_SOME.items():
            left = limit - sum(deleted.values())
            if left <= 0:
                break
            rows = self._statements.erase(statement, {**parameters, "limit": left})
            if rows:
                deleted[table] = rows
        return deleted

    def delete_account(self, account_id: str) -> bool:
        return self._statements.write(_DELETE_ACCOUNT, {"of_account_id": account_id}) > 0
