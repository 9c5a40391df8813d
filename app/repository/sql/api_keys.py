"""API keys in SQL."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, delete, select, update

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.columns import GuardedColumns
from app.domain.guarded import Guarded
from app.repository.collections.access import ApiKeyRepository
from app.repository.collections.batches import Batch, Position
from app.repository.sql.accounts import ACCOUNTS
from app.repository.sql.driver import fields
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.statements import InsertUnlessThere, Statements
from app.repository.sql.sweeps import sweep_parameters, sweeps
from app.repository.sql.tables import accounts, api_keys, injections

API_KEYS = GuardedColumns(ApiKey)

_COLUMNS = tuple(api_keys.c)
_THIS = and_(api_keys.c.account_id == bindparam("of_account"), api_keys.c.id == bindparam("of_id"))
_GET = select(*_COLUMNS).where(_THIS)
_GET_WITH_ACCOUNT = (
    select(*_COLUMNS, *accounts.c)
    .join_from(api_keys, accounts, accounts.c.id == api_keys.c.account_id)
    .where(_THIS)
)
_PAGE = (
    select(*_COLUMNS)
    .where(api_keys.c.account_id == bindparam("of_account"))
    .order_by(api_keys.c.id)
    .limit(bindparam("limit"))
)
_NEXT_PAGE = _PAGE.where(api_keys.c.id > bindparam("after_id"))
_FIND = select(*_COLUMNS).where(
    api_keys.c.account_id == bindparam("of_account"), is_in(api_keys.c.id, "ids")
)
_SWEEP, _SWEEP_ON = sweeps(api_keys)
_DELETE_UNUSED = delete(api_keys).where(
    api_keys.c.account_id == bindparam("of_account"),
    is_in(api_keys.c.id, "ids"),
    ~select(injections.c.id)
    .where(
        injections.c.account_id == api_keys.c.account_id,
        injections.c.api_key_id == api_keys.c.id,
    )
    .exists(),
)
_ADD = InsertUnlessThere(api_keys)
_REPLACE = update(api_keys).where(_THIS)

# Parsed where there is no such row, so that the time it takes does not tell.
_NEITHER = API_KEYS.example + ACCOUNTS.example


class SqlApiKeys(ApiKeyRepository):
    """API keys."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, account_id: str, key_id: str) -> Guarded[ApiKey] | None:
        statement = self._statements.lockable(_GET)
        row = self._statements.first(statement, {"of_account": account_id, "of_id": key_id})
        return None if row is None else API_KEYS.parse(row)

    def get_with_account(
        self, account_id: str, key_id: str
    ) -> tuple[Guarded[ApiKey], Guarded[Account]] | None:
        found = self._statements.first(
            _GET_WITH_ACCOUNT, {"of_account": account_id, "of_id": key_id}
        )
        row = _NEITHER if found is None else found
        pair = API_KEYS.parse(row[: API_KEYS.count]), ACCOUNTS.parse(row[API_KEYS.count :])
        return None if found is None else pair

    def find(self, account_id: str, key_ids: Sequence[str]) -> list[Guarded[ApiKey]]:
        parameters = {"of_account": account_id, "ids": as_list(key_ids)}
        return [API_KEYS.parse(row) for row in self._statements.all(_FIND, parameters)]

    def page(self, account_id: str, after: Position | None, limit: int) -> Batch[ApiKey]:
        statement = _PAGE if after is None else _NEXT_PAGE
        (after_id,) = after or (None,)
        parameters = {"of_account": account_id, "limit": limit + 1, "after_id": after_id}
        rows = self._statements.all(statement, parameters)
        return fields.batch(API_KEYS.parse, rows, limit, (1,))

    def sweep(self, after: Position | None, limit: int) -> Batch[ApiKey]:
        statement = _SWEEP if after is None else _SWEEP_ON
        rows = self._statements.all(statement, sweep_parameters(after, limit))
        return fields.batch(API_KEYS.parse, rows, limit, (0, 1))

    def delete_unused(self, account_id: str, key_ids: Sequence[str]) -> int:
        parameters = {"of_account": account_id, "ids": as_list(key_ids)}
        return self._statements.write(_DELETE_UNUSED, parameters)

    def add(self, key: Guarded[ApiKey]) -> None:
        self._statements.insert(_ADD, API_KEYS.dump(key))

    def replace(self, key: Guarded[ApiKey]) -> None:
        this = {"of_account": key.unverified.account_id, "of_id": key.unverified.id}
        self._statements.write(_REPLACE, {**this, **API_KEYS.dump(key)})
