"""The usage of accounts, and the lease of the process that counts it, in SQL."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    update,
)

from app.domain.operations.usage import ROW_BYTES, CountedTable, CountedUsage, Usage
from app.repository.collections.batches import Position
from app.repository.collections.operations import LeaseRepository, Tally, UsageRepository
from app.repository.sql.driver.paging import Paged
from app.repository.sql.driver.statements import Collection, InsertUnlessThere
from app.repository.sql.tables import (
    api_keys,
    gateway_configs,
    gateway_tokens,
    gateway_uses,
    injections,
    leases,
    secret_versions,
    secrets,
    stored_responses,
    usage,
)

_COUNTED = (*(usage.c[name] for name in Usage._fields), usage.c.counted_at_ms)
_GET = select(*_COUNTED).where(usage.c.account_id == bindparam("of_account_id"))
_PUT = (
    update(usage)
    .where(usage.c.account_id == bindparam("of_account_id"))
    .values({column: bindparam(column.name) for column in _COUNTED})
)
_ADD = InsertUnlessThere(usage)


def _sizes(table: Table, large: ColumnElement[Any]) -> Paged:
    """List the key and the size of each row of an account."""
    key = [column for column in table.primary_key if column.name != "account_id"]
    size = func.coalesce(func.length(large), literal_column("0"))
    of_account = table.c.account_id == bindparam("of_account_id")
    return Paged(select(*key, size).where(of_account), *key)


_SIZES = {
    CountedTable.SECRETS: _sizes(secrets, secrets.c.envelope),
    CountedTable.SECRET_VERSIONS: _sizes(secret_versions, secret_versions.c.archived),
    CountedTable.INJECTIONS: _sizes(injections, injections.c.secrets),
    CountedTable.API_KEYS: _sizes(api_keys, api_keys.c.name),
    CountedTable.STORED_RESPONSES: _sizes(stored_responses, stored_responses.c.response),
    CountedTable.GATEWAY_CONFIGS: _sizes(gateway_configs, gateway_configs.c.custom_headers),
    CountedTable.GATEWAY_TOKENS: _sizes(gateway_tokens, gateway_tokens.c.allow),
    CountedTable.GATEWAY_USES: _sizes(gateway_uses, gateway_uses.c.path),
}

_TAKE = (
    update(leases)
    .where(
        leases.c.name == bindparam("of_name"),
        or_(
            leases.c.holder == bindparam("by"),
            leases.c.until_ms <= bindparam("now_ms"),
            leases.c.until_ms > bindparam("until"),
        ),
    )
    .values(holder=bindparam("by"), until_ms=bindparam("until"))
)
_TAKE_FIRST = InsertUnlessThere(leases).values(
    name=bindparam("of_name"), holder=bindparam("by"), until_ms=bindparam("until")
)
_GIVE_UP = (
    update(leases)
    .where(leases.c.name == bindparam("of_name"), leases.c.holder == bindparam("by"))
    .values(until_ms=literal_column("0"))
)


class SqlUsage(Collection, UsageRepository):
    """The usage of accounts, as the sweep counted it last."""

    def get(self, account_id: str) -> CountedUsage | None:
        row = self._statements.first(_GET, {"of_account_id": account_id})
        if row is None or any(type(number) is not int for number in row):
            return None  # a damaged count stops nobody, and the next one replaces it
        *amounts, counted_at_ms = row
        return CountedUsage(Usage(*amounts), counted_at_ms)

    def put(self, account_id: str, counted: CountedUsage) -> None:
        values = {**counted.usage._asdict(), "counted_at_ms": counted.counted_at_ms}
        if not self._statements.write(_PUT, {"of_account_id": account_id, **values}):
            self._statements.write(_ADD, {"account_id": account_id, **values})

    def tally(
        self, account_id: str, table: CountedTable, after: Position | None, limit: int
    ) -> Tally:
        sizes = _SIZES[table]
        rows = sizes.rows(self._statements, after, limit, of_account_id=account_id)
        size = sum(row[-1] for row in rows) + len(rows) * ROW_BYTES
        return Tally(len(rows), size, rows[-1][:-1] if len(rows) == limit else None)


class SqlLeases(Collection, LeaseRepository):
    """Work that one process at a time does."""

    def take(self, name: str, holder: str, now_ms: int, until_ms: int) -> bool:
        parameters = {"of_name": name, "by": holder, "now_ms": now_ms, "until": until_ms}
        if self._statements.write(_TAKE, parameters):
            return True
        return self._statements.write(_TAKE_FIRST, parameters) > 0

    def give_up(self, name: str, holder: str) -> None:
        self._statements.write(_GIVE_UP, {"of_name": name, "by": holder})
