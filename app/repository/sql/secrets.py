"""Secrets in SQL.

The columns that a list or a view shows are cast by the database: a damaged row is shown with
whatever its columns can be read as, so that it can always be found, replaced and deleted.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, get_type_hints

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
    union_all,
    update,
)

from app.domain.columns import GuardedColumns, Row
from app.domain.secret_versions import LARGEST_VERSION
from app.domain.secrets import (
    SealedValue,
    Secret,
    SecretFilter,
    SecretIdentity,
    SecretRef,
    StoredSecret,
)
from app.repository.collections.batches import Batch, Position
from app.repository.collections.secrets import LockedSecret, SealedSecrets, SecretRepository
from app.repository.sql.driver.dialect import LIKE_ESCAPE, as_list, containing, is_in
from app.repository.sql.driver.locks import Query, changing
from app.repository.sql.driver.paging import Paged
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.sealed_secrets import SEALED, parse_sealed
from app.repository.sql.tables import secret_versions, secrets

_OWN = secrets.c.account_id == bindparam("of_account_id")
_THIS = and_(_OWN, secrets.c.id == bindparam("of_id"))
_NAMED = secrets.c.name == bindparam("of_name")


def shown_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Read a column as a text, whatever it holds."""
    return func.coalesce(cast(column, Text), literal_column("''"))


def shown_number(column: ColumnElement[Any]) -> ColumnElement[int]:
    """Read a column as a number, whatever it holds."""
    return func.coalesce(cast(column, BigInteger), literal_column("0"))


_SHOWN = (
    shown_text(secrets.c.id),
    shown_text(secrets.c.name),
    shown_number(secrets.c.create_time_ms),
    shown_number(secrets.c.update_time_ms),
)
_VIEW = select(*_SHOWN)
_STORED_COLUMNS = tuple(secrets.c[name] for name in StoredSecret._fields)
_STORED_TYPES = tuple(get_type_hints(StoredSecret).values())
_IDENTITIES = GuardedColumns(SecretIdentity)
_ADD = InsertUnlessThere(secrets)
IDENTITY = [secrets.c[name] for name in ("account_id", "id", "name", "mac_key_id", "mac")]
_IDENTITIES_SWEPT = Paged(select(*IDENTITY), secrets.c.account_id, secrets.c.id)


def _archived(version: Callable[[Column[Any]], ColumnElement[Any]]) -> ColumnElement[Any]:
    """Read the first or the last number of the old versions of a secret."""
    return (
        select(version(secret_versions.c.version))
        .where(
            secret_versions.c.account_id == secrets.c.account_id,
            secret_versions.c.secret_id == secrets.c.id,
        )
        .scalar_subquery()
    )


# The old value comes with the lock, so that an update archives it without another statement.
_LOCKED = (
    *(secrets.c.version, secrets.c.data_key_id, secrets.c.envelope),
    *(_archived(func.min), _archived(func.max)),
)
_LOCK = changing(select(*_SHOWN, *_LOCKED, *IDENTITY))
_REPLACED = ("version", "data_key_id", "envelope", "update_time_ms")
_REPLACE_VALUE = update(secrets).where(_THIS).values({name: bindparam(name) for name in _REPLACED})
_SEALED_UNDER = Paged(
    select(*_STORED_COLUMNS).where(_OWN, secrets.c.data_key_id == bindparam("of_data_key")),
    secrets.c.id,
)
_RESEAL = (
    update(secrets)
    .where(
        _THIS,
        secrets.c.version == bindparam("of_version"),
        secrets.c.data_key_id == bindparam("of_data_key"),
    )
    .values(data_key_id=bindparam("data_key_id"), envelope=bindparam("envelope"))
)
_DELETE = delete(secrets).returning(*_SHOWN)
# Each by id, and by name.
_VIEWS, _LOCKS, _DELETES = (
    (statement.where(_THIS), statement.where(_OWN, _NAMED)) for statement in (_VIEW, _LOCK, _DELETE)
)


_FILTERS: dict[str, ColumnElement[bool]] = {
    "of_name": _NAMED,
    "search": secrets.c.name.ilike(bindparam("search"), escape=LIKE_ESCAPE),
    "after_id": secrets.c.id < bindparam("after_id"),
}


@cache
def _filtered(statement: Query, *filters: str) -> Query:
    return statement.where(_OWN, *(_FILTERS[name] for name in filters))


# Two searches of an index each: of an OR, SQLite makes one of all the account's rows.
_FIND = union_all(
    *(_VIEW.where(_OWN, is_in(column, "refs")) for column in (secrets.c.name, secrets.c.id))
)


_PAGE = _VIEW.order_by(secrets.c.id.desc()).limit(bindparam("limit"))
_COUNT = select(func.count()).select_from(secrets)


@cache
def _counted(*filters: str) -> Query:
    """Select a page, and in each row the number of all secrets that the filters match."""
    on_every_page = [name for name in filters if name != "after_id"]
    count = _filtered(_COUNT, *on_every_page).correlate(None).scalar_subquery()
    return _filtered(_PAGE.add_columns(count), *filters)


class SqlSecrets(Collection, SecretRepository):
    """Secrets."""

    def view(self, account_id: str, ref: SecretRef) -> Secret | None:
        by_id, by_name = _VIEWS
        row = self._statements.first(by_id if ref.is_id else by_name, _of(account_id, ref))
        return None if row is None else Secret._make(row)

    def page(
        self, account_id: str, wanted: SecretFilter, limit: int, after_id: str | None
    ) -> list[Secret]:
        parameters = _paged(account_id, wanted, limit, after_id)
        statement = _filtered(_PAGE, *sorted(_FILTERS.keys() & parameters))
        return list(map(Secret._make, self._statements.all(statement, parameters)))

    def page_and_count(
        self, account_id: str, wanted: SecretFilter, limit: int, after_id: str | None
    ) -> tuple[list[Secret], int]:
        parameters = _paged(account_id, wanted, limit, after_id)
        rows = self._statements.all(_counted(*sorted(_FILTERS.keys() & parameters)), parameters)
        if not rows:
            return [], self.count(account_id, wanted)
        return [Secret._make(row[:-1]) for row in rows], rows[0][-1]

    def count(self, account_id: str, wanted: SecretFilter) -> int:
        parameters = _wanted(account_id, wanted)
        return self._statements.count(
            _filtered(_COUNT, *sorted(_FILTERS.keys() & parameters)), parameters
        )

    def add(self, secret: StoredSecret) -> None:
        self._statements.insert(_ADD, secret._asdict())

    def find(self, account_id: str, refs: Sequence[str]) -> list[Secret]:
        parameters = {"of_account_id": account_id, "refs": as_list(refs)}
        return list(map(Secret._make, self._statements.all(_FIND, parameters)))

    def sealed(
        self, account_id: str, secret_ids: Sequence[str], max_bytes: int
    ) -> SealedSecrets | None:
        these = {"of_account_id": account_id, "ids": as_list(secret_ids)}
        parameters = {**these, "max_bytes": max_bytes}
        return parse_sealed(self._statements.all(SEALED, parameters), max_bytes)

    def lock(self, account_id: str, ref: SecretRef) -> LockedSecret | None:
        by_id, by_name = _LOCKS
        row = self._statements.first(by_id if ref.is_id else by_name, _of(account_id, ref))
        if row is None:
            return None
        return _locked(row)

    def replace_value(self, secret: StoredSecret) -> None:
        self._statements.erase(
            _REPLACE_VALUE, _this(secret.account_id, secret.id) | secret._asdict()
        )

    def sealed_under(
        self, account_id: str, data_key_id: str, limit: int, after_id: str | None
    ) -> list[StoredSecret]:
        owner = {"of_account_id": account_id, "of_data_key": data_key_id}
        after = None if after_id is None else (after_id,)
        rows = _SEALED_UNDER.rows(self._statements, after, limit, **owner)
        return [StoredSecret._make(of_types("secrets", row, _STORED_TYPES)) for row in rows]

    def sweep_identities(self, after: Position | None, limit: int) -> Batch[SecretIdentity]:
        return _IDENTITIES_SWEPT.batch(self._statements, _IDENTITIES.parse, after, limit)

    def reseal(self, secret: StoredSecret, *, sealed_under: str) -> bool:
        parameters = {
            **_this(secret.account_id, secret.id),
            **secret._asdict(),
            "of_version": secret.version,
            "of_data_key": sealed_under,
        }
        return self._statements.erase(_RESEAL, parameters) > 0

    def delete(self, account_id: str, ref: SecretRef) -> Secret | None:
        by_id, by_name = _DELETES
        rows = self._statements.erase_and_return(
            by_id if ref.is_id else by_name, _of(account_id, ref)
        )
        return Secret._make(rows[0]) if rows else None


def _locked(row: Row) -> LockedSecret:
    end = len(_SHOWN) + len(_LOCKED)
    shown, identity = Secret._make(row[: len(_SHOWN)]), _IDENTITIES.parse(row[end:])
    version, data_key_id, envelope, oldest, newest = row[len(_SHOWN) : end]
    number = _version(version)
    sealed = None
    if number and isinstance(data_key_id, str) and isinstance(envelope, bytes):
        sealed = SealedValue(shown.id, shown.name, data_key_id, envelope, number)
    size = len(envelope) if isinstance(envelope, str | bytes) else 0
    return LockedSecret(shown, number, identity, sealed, size, _version(oldest), _version(newest))


def _version(stored: object) -> int:
    """Return a version, or 0 for what is none."""
    return stored if type(stored) is int and 0 < stored <= LARGEST_VERSION else 0


def _of(account_id: str, ref: SecretRef) -> dict[str, object]:
    return {"of_account_id": account_id, "of_id" if ref.is_id else "of_name": ref.text}


def _this(account_id: str, secret_id: str) -> dict[str, object]:
    return {"of_account_id": account_id, "of_id": secret_id}


def _paged(
    account_id: str, wanted: SecretFilter, limit: int, after_id: str | None
) -> dict[str, object]:
    parameters = {**_wanted(account_id, wanted), "limit": limit}
    if after_id is not None:
        parameters["after_id"] = after_id
    return parameters


def _wanted(account_id: str, wanted: SecretFilter) -> dict[str, object]:
    parameters: dict[str, object] = {"of_account_id": account_id}
    if wanted.name is not None:
        parameters["of_name"] = wanted.name
    if wanted.search is not None:
        parameters["search"] = containing(wanted.search)
    return parameters
