"""Old values of secrets in SQL: what requests read, add and delete of one secret."""

from itertools import pairwise
from typing import Any, get_type_hints

from sqlalchemy import and_, bindparam, delete, select

from app.domain.columns import GuardedColumns, Row, columns_of
from app.domain.errors import TamperedRow
from app.domain.secret_versions import ArchivedVersion, SecretVersion
from app.domain.secrets import SecretIdentity, SecretRef
from app.repository.collections.secret_versions import FoundVersion
from app.repository.sql.driver.dialect import is_among
from app.repository.sql.driver.locks import excluding
from app.repository.sql.driver.statements import Collection, InsertUnlessThere
from app.repository.sql.secrets import IDENTITY, shown_number, shown_text
from app.repository.sql.tables import data_keys, secret_versions, secrets

COLUMNS = columns_of(ArchivedVersion)
_NAMES = [column.name for column in COLUMNS.all]
_TYPES = tuple(get_type_hints(ArchivedVersion)[name] for name in _NAMES)
_IDENTITIES = GuardedColumns(SecretIdentity)

OWN = secret_versions.c.account_id == bindparam("of_account_id")
OF_SECRET = and_(
    secret_versions.c.account_id == secrets.c.account_id,
    secret_versions.c.secret_id == secrets.c.id,
)
_OF_THIS_SECRET = and_(OWN, secret_versions.c.secret_id == bindparam("of_secret_id"))
THIS = and_(_OF_THIS_SECRET, secret_versions.c.version == bindparam("of_version"))

# The data key is looked up in the same statement: a foreign key that fails would undo the update.
_VALUES = [bindparam(name, type_=secret_versions.c[name].type) for name in _NAMES]
_ADD = InsertUnlessThere(secret_versions).from_select(
    _NAMES,
    select(*_VALUES).where(
        data_keys.c.account_id == bindparam("account_id"),
        data_keys.c.id == bindparam("data_key_id"),
    ),
)
_SECRET = secrets.c.account_id == bindparam("of_account_id")
_BY_ID = and_(_SECRET, secrets.c.id == bindparam("of_id"))
_BY_NAME = and_(_SECRET, secrets.c.name == bindparam("of_name"))
_HISTORY = (
    select(
        shown_number(secrets.c.version),
        shown_number(secrets.c.update_time_ms),
        secret_versions.c.secret_id.is_not(None),
        shown_number(secret_versions.c.version),
        shown_number(secret_versions.c.created_at_ms),
        shown_text(secret_versions.c.replaced_by),
    )
    .join_from(secrets, secret_versions, OF_SECRET, isouter=True)
    .order_by(secret_versions.c.version.desc())
    .limit(bindparam("limit"))
)
_FIND = (
    select(*IDENTITY, *secret_versions.c)
    .join_from(secrets, secret_versions, OF_SECRET)
    .where(secret_versions.c.version == bindparam("of_version"))
)
# Each by id, and by name.
_HISTORIES, _FINDS = (
    (statement.where(_BY_ID), statement.where(_BY_NAME)) for statement in (_HISTORY, _FIND)
)
_GET = select(*secret_versions.c).where(THIS)
_DELETE = delete(secret_versions).where(THIS)
_BELOW = and_(_OF_THIS_SECRET, secret_versions.c.version < bindparam("of_version"))
# Locked in their order, in which a re-encryption writes them too.
_IN_ORDER = select(secret_versions.c.version).where(_BELOW).order_by(secret_versions.c.version)
_DELETE_BELOW = delete(secret_versions).where(
    _OF_THIS_SECRET, is_among(secret_versions.c.version, excluding(_IN_ORDER))
)


class SqlArchive(Collection):
    """Old values of one secret."""

    def add(self, version: ArchivedVersion) -> bool:
        return self._statements.write(_ADD, COLUMNS.dump(version)) > 0

    def history(self, account_id: str, ref: SecretRef, limit: int) -> list[SecretVersion] | None:
        by_id, by_name = _HISTORIES
        parameters = {**_of(account_id, ref), "limit": limit}
        rows = self._statements.all(by_id if ref.is_id else by_name, parameters)
        return _history(rows) if rows else None

    def find(self, account_id: str, ref: SecretRef, version: int) -> FoundVersion | None:
        by_id, by_name = _FINDS
        parameters = {**_of(account_id, ref), "of_version": version}
        row = self._statements.first(by_id if ref.is_id else by_name, parameters)
        if row is None:
            return None
        identity, archived = row[: len(IDENTITY)], row[len(IDENTITY) :]
        return FoundVersion(_IDENTITIES.parse(identity), parse_version(archived))

    def get(self, account_id: str, secret_id: str, version: int) -> ArchivedVersion | None:
        row = self._statements.first(_GET, this_version(account_id, secret_id, version))
        return None if row is None else parse_version(row)

    def delete(self, account_id: str, secret_id: str, version: int) -> bool:
        return self._statements.erase(_DELETE, this_version(account_id, secret_id, version)) > 0

    def delete_below(self, account_id: str, secret_id: str, version: int) -> int:
        return self._statements.erase(_DELETE_BELOW, this_version(account_id, secret_id, version))


def parse_version(row: Row) -> ArchivedVersion:
    """Return the version in a row of the table.

    Raises:
        TamperedRow: A column has another type than the server writes.
    """
    if tuple(map(type, row)) != _TYPES:
        raise TamperedRow(ArchivedVersion.table, *row[:2])
    return ArchivedVersion(*row)


def this_version(account_id: str, secret_id: str, version: int) -> dict[str, object]:
    """Return the parameters of ``THIS``."""
    return {"of_account_id": account_id, "of_secret_id": secret_id, "of_version": version}


def _of(account_id: str, ref: SecretRef) -> dict[str, object]:
    return {"of_account_id": account_id, "of_id" if ref.is_id else "of_name": ref.text}


def _history(rows: list[Row]) -> list[SecretVersion]:
    """Return the versions in rows of a history. Each old one says who set the one after it."""
    current, updated_ms = rows[0][:2]
    set_by: list[tuple[Any, ...]] = [(current, updated_ms, None)]
    set_by += [row[3:] for row in rows if row[2]]
    authors = [
        replaced_by if version == older + 1 else None
        for (version, *_), (older, _, replaced_by) in pairwise(set_by)
    ]
    return [
        SecretVersion(version, created_ms, author, place == 0)
        for place, ((version, created_ms, _), author) in enumerate(
            zip(set_by, [*authors, None], strict=True)
        )
    ]
