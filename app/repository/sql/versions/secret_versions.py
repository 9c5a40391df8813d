"""Old values of secrets in SQL: what the sweep deletes, and what re-encryption seals again."""

from sqlalchemy import and_, bindparam, delete, func, literal_column, select, tuple_, update

from app.domain.secret_versions import ArchivedVersion
from app.repository.collections.batches import Position
from app.repository.collections.secret_versions import (
    NamedVersion,
    SecretVersionRepository,
    Surplus,
)
from app.repository.sql.driver.dialect import is_among
from app.repository.sql.driver.locks import free_ones
from app.repository.sql.driver.paging import Paged
from app.repository.sql.tables import data_keys, secret_versions, secrets
from app.repository.sql.versions.archive import (
    OF_SECRET,
    OWN,
    THIS,
    SqlArchive,
    parse_version,
    this_version,
)

_OLDER = select(secret_versions.c.secret_id, secret_versions.c.version).where(
    OWN, secret_versions.c.replaced_at_ms <= bindparam("until_ms")
)
_HAS_OLDER = _OLDER.limit(literal_column("1"))
_DELETE_OLDER = delete(secret_versions).where(
    OWN,
    is_among(
        tuple_(secret_versions.c.secret_id, secret_versions.c.version),
        free_ones(_OLDER.order_by(secret_versions.c.replaced_at_ms).limit(bindparam("limit"))),
    ),
)
_SURPLUS = Paged(
    select(
        secrets.c.id,
        secrets.c.version,
        select(secret_versions.c.version)
        .where(OF_SECRET, secret_versions.c.version < secrets.c.version - bindparam("count"))
        .exists(),
    ).where(secrets.c.account_id == bindparam("of_account_id")),
    secrets.c.id,
)
_COUNT_UNDER = (
    select(func.count())
    .select_from(secret_versions)
    .join(
        data_keys,
        and_(
            data_keys.c.account_id == secret_versions.c.account_id,
            data_keys.c.id == secret_versions.c.data_key_id,
        ),
    )
    .where(data_keys.c.created_at_ms <= bindparam("until_ms"))
)
_SEALED_UNDER = Paged(
    select(*secret_versions.c, secrets.c.name)
    .join_from(secret_versions, secrets, OF_SECRET)
    .where(OWN, secret_versions.c.data_key_id == bindparam("of_data_key")),
    secret_versions.c.secret_id,
    secret_versions.c.version,
)
_RESEAL = (
    update(secret_versions)
    .where(
        THIS,
        secret_versions.c.data_key_id == bindparam("of_data_key"),
        secret_versions.c.archived == bindparam("of_archived"),
    )
    .values(data_key_id=bindparam("data_key_id"), archived=bindparam("archived"))
)


class SqlSecretVersions(SqlArchive, SecretVersionRepository):
    """Old values of secrets."""

    def has_older(self, account_id: str, until_ms: int) -> bool:
        parameters = {"of_account_id": account_id, "until_ms": until_ms}
        return self._statements.first(_HAS_OLDER, parameters) is not None

    def delete_older(self, account_id: str, until_ms: int, limit: int) -> int:
        parameters = {"of_account_id": account_id, "until_ms": until_ms, "limit": limit}
        return self._statements.erase(_DELETE_OLDER, parameters)

    def surplus(self, account_id: str, count: int, after_id: str | None, limit: int) -> Surplus:
        after = None if after_id is None else (after_id,)
        options = {"of_account_id": account_id, "count": count}
        rows = _SURPLUS.rows(self._statements, after, limit, **options)
        below = [
            (secret_id, version - count)
            for secret_id, version, has_more in rows
            if has_more and type(version) is int
        ]
        return Surplus(below, rows[-1][0] if len(rows) == limit else None)

    def count_under(self, until_ms: int) -> int:
        return self._statements.count(_COUNT_UNDER, {"until_ms": until_ms})

    def sealed_under(
        self, account_id: str, data_key_id: str, limit: int, after: Position | None
    ) -> list[NamedVersion]:
        owner = {"of_account_id": account_id, "of_data_key": data_key_id}
        rows = _SEALED_UNDER.rows(self._statements, after, limit, **owner)
        return [NamedVersion(row[-1], parse_version(row[:-1])) for row in rows]

    def reseal(self, version: ArchivedVersion, *, before: ArchivedVersion) -> bool:
        parameters = {
            **this_version(version.account_id, version.secret_id, version.version),
            "data_key_id": version.data_key_id,
            "archived": version.archived,
            "of_data_key": before.data_key_id,
            "of_archived": before.archived,
        }
        return self._statements.erase(_RESEAL, parameters) > 0
