"""The usage of accounts, and the lease of the process that counts it, in SQL."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, literal_column, or_, select, tuple_, update

from app.domain.operations.usage import ROW_BYTES, CountedTable, CountedUsage, Usage
from app.repository.collections.batches import Position
from app.repository.collections.operations import LeaseRepository, Tally, UsageRepository
from app.repository.sql.driver.statements import InsertUnlessThere, Query, Statements
from app.repository.sql.tables import api_keys, injections, leases, secrets, stored_responses, usage

_COUNTED = (*(usage.c[name] for name in Usage._fields), usage.c.counted_at_ms)
_GET = select(*_COUNTED).where(usage.c.account_id == bindparam("of_account"))
_PUT = (
    update(usage)
    .where(usage.c.account_id == bindparam("of_account"))
    .values({column: bindparam(column.name) for column in _COUNTED})
)
_ADD = InsertUnlessThere(usage)


def _tallies(
    keys: tuple[ColumnElement[Any], ...], account: ColumnElement[str], large: ColumnElement[Any]
) -> tuple[Query, Query]:
    """Return the statements for keys and sizes of rows: the first batch, and a later one."""
    size = func.coalesce(func.length(large), literal_column("0"))
    first = (
        select(*keys, size)
        .where(account == bindparam("of_account"))
        .order_by(*keys)
        .limit(bindparam("limit"))
    )
    places: list[Any] = [bindparam(f"after_{number}") for number in range(len(keys))]
    return first, first.where(tuple_(*keys) > tuple_(*places))


_TALLIES = {
    CountedTable.SECRETS: _tallies((secrets.c.id,), secrets.c.account_id, secrets.c.envelope),
    CountedTable.INJECTIONS: _tallies(
        (injections.c.id,), injections.c.account_id, injections.c.secrets
    ),
    CountedTable.API_KEYS: _tallies((api_keys.c.id,), api_keys.c.account_id, api_keys.c.name),
    CountedTable.STORED_RESPONSES: _tallies(
        (stored_responses.c.api_key_id, stored_responses.c.request_id),
        stored_responses.c.account_id,
        stored_responses.c.response,
    ),
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


class SqlUsage(UsageRepository):
    """The usage of accounts, as the sweep counted it last."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, account_id: str) -> CountedUsage | None:
        row = self._statements.first(_GET, {"of_account": account_id})
        if row is None or any(type(number) is not int for number in row):
            return None  # a damaged count stops nobody, and the next one replaces it
        *amounts, counted_at_ms = row
        return CountedUsage(Usage(*amounts), counted_at_ms)

    def put(self, account_id: str, counted: CountedUsage) -> None:
        values = {**counted.usage._asdict(), "counted_at_ms": counted.counted_at_ms}
        if not self._statements.write(_PUT, {"of_account": account_id, **values}):
            self._statements.write(_ADD, {"account_id": account_id, **values})

    def tally(
        self, account_id: str, table: CountedTable, after: Position | None, limit: int
    ) -> Tally:
        first, on = _TALLIES[table]
        parameters: dict[str, object] = {"of_account": account_id, "limit": limit}
        parameters |= {f"after_{number}": key for number, key in enumerate(after or ())}
        rows = self._statements.all(first if after is None else on, parameters)
        size = sum(row[-1] for row in rows) + len(rows) * ROW_BYTES
        return Tally(len(rows), size, rows[-1][:-1] if len(rows) == limit else None)


class SqlLeases(LeaseRepository):
    """Work that one process at a time does."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def take(self, name: str, holder: str, now_ms: int, until_ms: int) -> bool:
        parameters = {"of_name": name, "by": holder, "now_ms": now_ms, "until": until_ms}
        if self._statements.write(_TAKE, parameters):
            return True
        return self._statements.write(_TAKE_FIRST, parameters) > 0

    def give_up(self, name: str, holder: str) -> None:
        self._statements.write(_GIVE_UP, {"of_name": name, "by": holder})
