"""API keys in SQL."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.guarded import Guarded
from app.repository.collections.access import ApiKeyRepository
from app.repository.collections.batches import Batch, Position
from app.repository.sql.access.accounts import ACCOUNTS
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import GuardedRows, GuardedTable
from app.repository.sql.tables import accounts, api_keys, gateway_tokens, injections

API_KEYS = GuardedTable(api_keys, ApiKey)

_OWN = api_keys.c.account_id == bindparam("of_account_id")
_GET_WITH_ACCOUNT = (
    select(*api_keys.c, *accounts.c)
    .join_from(api_keys, accounts, accounts.c.id == api_keys.c.account_id)
    .where(API_KEYS.this)
)
_PAGE = Paged(API_KEYS.rows.where(_OWN), api_keys.c.id)
_FIND = API_KEYS.rows.where(_OWN, is_in(api_keys.c.id, "ids"))
_DELETE_UNUSED = delete(api_keys).where(
    _OWN,
    is_in(api_keys.c.id, "ids"),
    *(
        ~select(made.c.id)
        .where(made.c.account_id == api_keys.c.account_id, made.c.api_key_id == api_keys.c.id)
        .exists()
        for made in (injections, gateway_tokens)
    ),
)

_PARSE, _PARSE_ACCOUNT = API_KEYS.columns.parse, ACCOUNTS.columns.parse
_ACCOUNT_FROM = API_KEYS.columns.count
# Parsed where there is no such row, so that the time it takes does not tell.
_NEITHER = API_KEYS.columns.example + ACCOUNTS.columns.example


class SqlApiKeys(GuardedRows[ApiKey], ApiKeyRepository):
    """API keys."""

    _table = API_KEYS

    def get(self, account_id: str, key_id: str) -> Guarded[ApiKey] | None:
        return self._get(account_id, key_id)

    def get_with_account(
        self, account_id: str, key_id: str
    ) -> tuple[Guarded[ApiKey], Guarded[Account]] | None:
        this = {"of_account_id": account_id, "of_id": key_id}
        found = self._statements.first(_GET_WITH_ACCOUNT, this)
        row = _NEITHER if found is None else found
        pair = _PARSE(row[:_ACCOUNT_FROM]), _PARSE_ACCOUNT(row[_ACCOUNT_FROM:])
        return None if found is None else pair

    def find(self, account_id: str, key_ids: Sequence[str]) -> list[Guarded[ApiKey]]:
        parameters = {"of_account_id": account_id, "ids": as_list(key_ids)}
        return list(map(_PARSE, self._statements.all(_FIND, parameters)))

    def page(self, account_id: str, after: Position | None, limit: int) -> Batch[ApiKey]:
        return _PAGE.batch(self._statements, _PARSE, after, limit, of_account_id=account_id)

    def delete_unused(self, account_id: str, key_ids: Sequence[str]) -> int:
        parameters = {"of_account_id": account_id, "ids": as_list(key_ids)}
        return self._statements.write(_DELETE_UNUSED, parameters)
