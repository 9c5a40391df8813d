"""Data keys and their wrappings in SQL."""

from collections.abc import Sequence

from sqlalchemy import (
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from app.domain.columns import Row
from app.domain.data_keys import DataKeyRow, DataKeyState, GuardedDataKey, Wrapping
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from app.domain.operations.measurements import DataKeyCounts
from app.repository.collections.keys import DataKeyRepository
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.locks import excluding, keeping
from app.repository.sql.driver.paging import Paged
from app.repository.sql.driver.statements import Collection, of_types
from app.repository.sql.guarded_rows import GuardedTable
from app.repository.sql.tables import data_keys, secret_versions, secrets, wrappings
from app.repository.sql.wrappings import WRAPPINGS, SqlWrappings

_DATA_KEYS = GuardedTable(data_keys, DataKeyRow)
_COLUMNS = _DATA_KEYS.columns
DATA_KEY_COLUMNS = (*data_keys.c, *wrappings.c)
_ID = DATA_KEY_COLUMNS.index(data_keys.c.id)
ITS_WRAPPINGS = and_(
    wrappings.c.account_id == data_keys.c.account_id, wrappings.c.data_key_id == data_keys.c.id
)
_WITH_WRAPPINGS = (
    select(*DATA_KEY_COLUMNS)
    .join_from(data_keys, wrappings, ITS_WRAPPINGS, isouter=True)
    .order_by(wrappings.c.key_ref)
)
_GET = _WITH_WRAPPINGS.where(_DATA_KEYS.this)
_FIND = _WITH_WRAPPINGS.where(
    data_keys.c.account_id == bindparam("of_account_id"), is_in(data_keys.c.id, "ids")
)
# A literal: an index on a condition serves only statements that say the same.
_GET_ACTIVE = _WITH_WRAPPINGS.where(
    data_keys.c.account_id == bindparam("of_account_id"),
    data_keys.c.state == literal_column("'active'"),
)
_DELETE_WRAPPINGS = delete(wrappings).where(
    wrappings.c.account_id == bindparam("of_account_id"),
    wrappings.c.data_key_id == bindparam("of_id"),
)
_DELETE = delete(data_keys).where(_DATA_KEYS.this)
_IS_USED_OR_ACTIVE = select(data_keys.c.id).where(
    _DATA_KEYS.this,
    or_(
        data_keys.c.state != literal_column("'decrypt_only'"),
        select(secrets.c.id)
        .where(
            secrets.c.account_id == data_keys.c.account_id,
            secrets.c.data_key_id == data_keys.c.id,
        )
        .exists(),
        select(secret_versions.c.version)
        .where(
            secret_versions.c.account_id == data_keys.c.account_id,
            secret_versions.c.data_key_id == data_keys.c.id,
        )
        .exists(),
    ),
)
_COUNT = select(func.count()).select_from(data_keys)
_COUNT_STATES = select(
    data_keys.c.state, func.count(), func.min(data_keys.c.created_at_ms)
).group_by(data_keys.c.state)
_COUNT_SECRETS = (
    select(func.count())
    .select_from(secrets)
    .join(
        data_keys,
        and_(
            data_keys.c.account_id == secrets.c.account_id,
            data_keys.c.id == secrets.c.data_key_id,
        ),
    )
    .where(data_keys.c.created_at_ms <= bindparam("until_ms"))
)
_IN_ORDER = (data_keys.c.account_id, data_keys.c.id)
_SWEEP = Paged(select(*_IN_ORDER), *_IN_ORDER)
_HAS_ONE = (
    select(wrappings.c.key_ref).where(ITS_WRAPPINGS, is_in(wrappings.c.key_ref, "refs")).exists()
)
_COUNT_WITHOUT = select(func.count()).select_from(data_keys).where(not_(_HAS_ONE))
_HOW_MANY = (
    select(func.count())
    .select_from(wrappings)
    .where(ITS_WRAPPINGS, is_in(wrappings.c.key_ref, "refs"))
    .correlate(data_keys)
    .scalar_subquery()
)
_COUNT_INCOMPLETE = (
    select(func.count()).select_from(data_keys).where(bindparam("wanted") > _HOW_MANY)
)


_KEEPING = keeping(data_keys)
_LOCK = excluding(select(data_keys.c.id).where(_DATA_KEYS.this))


class SqlDataKeys(Collection, DataKeyRepository):
    """Data keys with their wrappings."""

    def get(self, account_id: str, data_key_id: str) -> GuardedDataKey | None:
        statement = self._statements.lockable(_GET, _KEEPING)
        rows = self._statements.all(statement, {"of_account_id": account_id, "of_id": data_key_id})
        return parse_data_key(rows) if rows else None

    def find(self, account_id: str, data_key_ids: Sequence[str]) -> list[GuardedDataKey]:
        parameters = {"of_account_id": account_id, "ids": as_list(data_key_ids)}
        return parse_data_keys(self._statements.all(_FIND, parameters))

    def get_active(self, account_id: str) -> GuardedDataKey | None:
        rows = self._statements.all(_GET_ACTIVE, {"of_account_id": account_id})
        return parse_data_key(rows) if rows else None

    def add(self, record: Guarded[DataKeyRow], wrappings: Sequence[Guarded[Wrapping]]) -> None:
        its_wrappings = SqlWrappings(self._statements)
        its_wrappings.share()
        self._statements.insert(_DATA_KEYS.add, _COLUMNS.dump(record))
        for wrapping in wrappings:
            its_wrappings.add(wrapping)

    def replace(self, record: Guarded[DataKeyRow]) -> None:
        self._statements.write(_DATA_KEYS.replace, _DATA_KEYS.dump(record))

    def delete_unused(self, account_id: str, data_key_id: str) -> bool:
        this = {"of_account_id": account_id, "of_id": data_key_id}
        # Who is sealing a value under it refers to it, and is waited for before anything is read.
        self._statements.lock(_LOCK, this)
        if self._statements.first(_IS_USED_OR_ACTIVE, this) is not None:
            return False
        self._statements.erase(_DELETE_WRAPPINGS, this)
        return self._statements.erase(_DELETE, this) > 0

    def count(self) -> int:
        return self._statements.count(_COUNT, {})

    def counts(self) -> DataKeyCounts:
        active, decrypt_only, oldest_ms = 0, 0, None
        for row in self._statements.all(_COUNT_STATES, {}):
            state, count, first_ms = of_types(DataKeyRow.table, row, (str, int, int))
            if state == DataKeyState.ACTIVE:
                active, oldest_ms = count, first_ms
            else:
                decrypt_only += count
        return DataKeyCounts(active, decrypt_only, oldest_ms)

    def sweep(self, after: tuple[str, str] | None, limit: int) -> list[tuple[str, str]]:
        rows = _SWEEP.rows(self._statements, after, limit)
        return [of_types(DataKeyRow.table, row, (str, str)) for row in rows]

    def count_secrets(self, until_ms: int) -> int:
        return self._statements.count(_COUNT_SECRETS, {"until_ms": until_ms})

    def count_without(self, key_refs: Sequence[str]) -> int:
        return self._statements.count(_COUNT_WITHOUT, {"refs": as_list(key_refs)})

    def count_incomplete(self, key_refs: Sequence[str]) -> int:
        parameters = {"refs": as_list(key_refs), "wanted": len(key_refs)}
        return self._statements.count(_COUNT_INCOMPLETE, parameters)


def parse_data_keys(rows: Sequence[Row]) -> list[GuardedDataKey]:
    """All data keys in rows of ``DATA_KEY_COLUMNS``, one row a wrapping."""
    rows_of: dict[object, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(row[_ID], []).append(row)
    return [parse_data_key(of_one) for of_one in rows_of.values()]


def parse_data_key(rows: Sequence[Row]) -> GuardedDataKey:
    """The one data key in rows of ``DATA_KEY_COLUMNS``, one row a wrapping, at least one.

    Raises:
        TamperedRow: There are several, or a column is damaged.
    """
    if len({row[: _COLUMNS.count] for row in rows}) != 1:
        raise TamperedRow(DataKeyRow.table, *rows[0][:2])
    wrapped = [row[_COLUMNS.count :] for row in rows]
    if set(wrapped[0]) == {None}:
        wrapped = []
    record = _COLUMNS.parse(rows[0][: _COLUMNS.count])
    return GuardedDataKey(record, tuple(map(WRAPPINGS.parse, wrapped)))
