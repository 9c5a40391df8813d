"""Gateway configs in SQL."""

from functools import cache

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select

from app.domain.errors import StorageUnavailable
from app.domain.gateways.configs import ConfigFilter, GatewayConfig
from app.domain.guarded import Guarded
from app.repository.base import Conflict
from app.repository.collections.batches import Batch, Position
from app.repository.collections.gateways import GatewayConfigRepository
from app.repository.sql.driver.dialect import LIKE_ESCAPE, containing
from app.repository.sql.driver.locks import Query
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import GuardedRows, GuardedTable
from app.repository.sql.tables import gateway_configs

CONFIGS = GuardedTable(gateway_configs, GatewayConfig)

_NAME_TAKEN = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "23505"})

_OWN = gateway_configs.c.account_id == bindparam("of_account_id")
_NAMED = CONFIGS.rows.where(_OWN, gateway_configs.c.name == bindparam("of_name"))
_DELETE = delete(gateway_configs).where(CONFIGS.this)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "wanted_id": gateway_configs.c.id == bindparam("wanted_id"),
    "name_part": gateway_configs.c.name.ilike(bindparam("name_part"), escape=LIKE_ESCAPE),
    "search_part": or_(
        gateway_configs.c.id == bindparam("searched"),
        gateway_configs.c.name.ilike(bindparam("search_part"), escape=LIKE_ESCAPE),
    ),
}


@cache
def _page(*filters: str) -> Paged:
    return Paged(_filtered(CONFIGS.rows, *filters), gateway_configs.c.id, descending=True)


@cache
def _count(*filters: str) -> Query:
    return _filtered(select(func.count()).select_from(gateway_configs), *filters)


def _filtered(statement: Query, *filters: str) -> Query:
    return statement.where(_OWN, *(_FILTERS[name] for name in filters))


class SqlGatewayConfigs(GuardedRows[GatewayConfig], GatewayConfigRepository):
    """Gateway configs of accounts."""

    _table = CONFIGS

    def get(self, account_id: str, config_id: str) -> Guarded[GatewayConfig] | None:
        return self._get(account_id, config_id)

    def named(self, account_id: str, name: str) -> Guarded[GatewayConfig] | None:
        this = {"of_account_id": account_id, "of_name": name}
        row = self._statements.first(self._statements.lockable(_NAMED), this)
        return None if row is None else CONFIGS.columns.parse(row)

    def page(
        self, account_id: str, wanted: ConfigFilter, after: Position | None, limit: int
    ) -> Batch[GatewayConfig]:
        filters = _wanted(wanted)
        page = _page(*sorted(_FILTERS.keys() & filters))
        parse = CONFIGS.columns.parse
        return page.batch(
            self._statements, parse, after, limit, of_account_id=account_id, **filters
        )

    def count(self, account_id: str, wanted: ConfigFilter) -> int:
        filters = _wanted(wanted)
        statement = _count(*sorted(_FILTERS.keys() & filters))
        return self._statements.count(statement, {"of_account_id": account_id, **filters})

    def replace(self, config: Guarded[GatewayConfig]) -> None:
        try:
            super().replace(config)
        except StorageUnavailable as error:
            if error.cause not in _NAME_TAKEN:
                raise
        else:
            return
        raise Conflict

    def delete(self, account_id: str, config_id: str) -> None:
        self._statements.write(_DELETE, {"of_account_id": account_id, "of_id": config_id})


def _wanted(wanted: ConfigFilter) -> dict[str, object]:
    filters: dict[str, object] = {}
    if wanted.id is not None:
        filters["wanted_id"] = wanted.id
    if wanted.name is not None:
        filters["name_part"] = containing(wanted.name)
    if wanted.search is not None:
        filters["searched"] = wanted.search
        filters["search_part"] = containing(wanted.search)
    return filters
