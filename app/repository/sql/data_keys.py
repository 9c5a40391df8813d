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
    tuple_,
    update,
)

from app.domain.columns import GuardedColumns, Row
from app.domain.data_keys import DataKeyRow, GuardedDataKey, Wrapping
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from app.repository.collections.keys import DataKeyRepository
from app.repository.sql.driver import fields
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.statements import InsertUnlessThere, Statements
from app.repository.sql.tables import data_keys, secrets, wrappings
from app.repository.sql.wrappings import WRAPPINGS, SqlWrappings

_DATA_KEYS = GuardedColumns(DataKeyRow)
_THIS = and_(
    data_keys.c.account_id == bindparam("of_account"), data_keys.c.id == bindparam("of_id")
)
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
_GET = _WITH_WRAPPINGS.where(_THIS)
_FIND = _WITH_WRAPPINGS.where(
    data_keys.c.account_id == bindparam("of_account"), is_in(data_keys.c.id, "ids")
)
# A literal: an index on a condition serves only statements that say the same.
_GET_ACTIVE = _WITH_WRAPPINGS.where(
    data_keys.c.account_id == bindparam("of_account"),
    data_keys.c.state == literal_column("'active'"),
)
_ADD = InsertUnlessThere(data_keys)
_REPLACE = update(data_keys).where(_THIS)
_DELETE_WRAPPINGS = delete(wrappings).where(
    wrappings.c.account_id == bindparam("of_account"), wrappings.c.data_key_id == bindparam("of_id")
)
_DELETE = delete(data_keys).where(_THIS)
_IS_USED_OR_ACTIVE = select(data_keys.c.id).where(
    _THIS,
    or_(
        data_keys.c.state != literal_column("'decrypt_only'"),
        select(secrets.c.id)
        .where(
            secrets.c.account_id == data_keys.c.account_id,
            secrets.c.data_key_id == data_keys.c.id,
        )
        .exists(),
    ),
)
_COUNT = select(func.count()).select_from(data_keys)
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
_SWEEP = select(*_IN_ORDER).order_by(*_IN_ORDER).limit(bindparam("limit"))
_SWEEP_ON = _SWEEP.where(
    tuple_(*_IN_ORDER) > tuple_(bindparam("after_account"), bindparam("after_id"))
)


_HAS_ONE = (
    select(wrappings.c.key_ref).where(ITS_WRAPPINGS, is_in(wrappings.c.key_ref, "refs")).exists()
)
_COUNT_WITHOUT = select(func.count()).select_from(data_keys).where(not_(_HAS_ONE))


class SqlDataKeys(DataKeyRepository):
    """Data keys with their wrappings."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, account_id: str, data_key_id: str) -> GuardedDataKey | None:
        rows = self._statements.all(_GET, {"of_account": account_id, "of_id": data_key_id})
        return parse_data_key(rows) if rows else None

    def find(self, account_id: str, data_key_ids: Sequence[str]) -> list[GuardedDataKey]:
        parameters = {"of_account": account_id, "ids": as_list(data_key_ids)}
        return parse_data_keys(self._statements.all(_FIND, parameters))

    def get_active(self, account_id: str) -> GuardedDataKey | None:
        rows = self._statements.all(_GET_ACTIVE, {"of_account": account_id})
        return parse_data_key(rows) if rows else None

    def add(self, record: Guarded[DataKeyRow], wrappings: Sequence[Guarded[Wrapping]]) -> None:
        self._statements.insert(_ADD, _DATA_KEYS.dump(record))
        its_wrappings = SqlWrappings(self._statements)
        for wrapping in wrappings:
            its_wrappings.add(wrapping)

    def replace(self, record: Guarded[DataKeyRow]) -> None:
        this = {"of_account": record.unverified.account_id, "of_id": record.unverified.id}
        self._statements.write(_REPLACE, {**this, **_DATA_KEYS.dump(record)})

    def delete_unused(self, account_id: str, data_key_id: str) -> bool:
        this = {"of_account": account_id, "of_id": data_key_id}
        if self._statements.first(_IS_USED_OR_ACTIVE, this) is not None:
            return False
        self._statements.erase(_DELETE_WRAPPINGS, this)
        return self._statements.erase(_DELETE, this) > 0

    def count(self) -> int:
        return self._statements.count(_COUNT, {})

    def sweep(self, after: tuple[str, str] | None, limit: int) -> list[tuple[str, str]]:
        if after is None:
            rows = self._statements.all(_SWEEP, {"limit": limit})
        else:
            account_id, data_key_id = after
            parameters = {"limit": limit, "after_account": account_id, "after_id": data_key_id}
            rows = self._statements.all(_SWEEP_ON, parameters)
        return [fields.of_types(DataKeyRow.table, row, (str, str)) for row in rows]

    def count_secrets(self, until_ms: int) -> int:
        return self._statements.count(_COUNT_SECRETS, {"until_ms": until_ms})

    def count_without(self, key_refs: Sequence[str]) -> int:
        return self._statements.count(_COUNT_WITHOUT, {"refs": as_list(key_refs)})


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
    if len({row[: _DATA_KEYS.count] for row in rows}) != 1:
        raise TamperedRow(DataKeyRow.table, *rows[0][:2])
    wrapped = [row[_DATA_KEYS.count :] for row in rows]
    if set(wrapped[0]) == {None}:
        wrapped = []
    record = _DATA_KEYS.parse(rows[0][: _DATA_KEYS.count])
    return GuardedDataKey(record, tuple(map(WRAPPINGS.parse, wrapped)))
