"""Gateway uses in SQL."""

from sqlalchemy import bindparam, delete, literal_column, select

from app.domain.gateways.uses import GatewayUse
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position
from app.repository.collections.gateways import GatewayUseRepository
from app.repository.sql.driver.dialect import is_among
from app.repository.sql.driver.locks import free_ones
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import GuardedRows, GuardedTable
from app.repository.sql.tables import gateway_uses

# Columns that never change are not written: each would cost its indexes an entry.
_END = ("status", "bytes_in", "bytes_out", "milliseconds", "scrub_hits")
_USES = GuardedTable(gateway_uses, GatewayUse, *_END, "mac_key_id", "mac")

_OWN = gateway_uses.c.account_id == bindparam("of_account_id")
_OF_ACCOUNT = _USES.rows.where(_OWN)
_PAGE = Paged(_OF_ACCOUNT, gateway_uses.c.id, descending=True)
_OF_TOKEN = _OF_ACCOUNT.where(gateway_uses.c.token_id == bindparam("of_token"))
_PAGE_OF_TOKEN = Paged(_OF_TOKEN, gateway_uses.c.id, descending=True)
_ENDED = select(gateway_uses.c.id).where(
    _OWN, gateway_uses.c.created_at_ms <= bindparam("until_ms")
)
_HAS_ENDED = _ENDED.limit(literal_column("1"))
_OLDEST = _ENDED.order_by(gateway_uses.c.created_at_ms).limit(bindparam("limit"))
_DELETE_ENDED = delete(gateway_uses).where(_OWN, is_among(gateway_uses.c.id, free_ones(_OLDEST)))


class SqlGatewayUses(GuardedRows[GatewayUse], GatewayUseRepository):
    """Requests that the gateway was admitted to carry."""

    _table = _USES

    def get(self, account_id: str, use_id: str) -> Guarded[GatewayUse] | None:
        return self._get(account_id, use_id)

    def page(
        self, account_id: str, token_id: str | None, after: Position | None, limit: int
    ) -> Batch[GatewayUse]:
        page = _PAGE if token_id is None else _PAGE_OF_TOKEN
        owner = {"of_account_id": account_id, "of_token": token_id}
        return page.batch(self._statements, _USES.columns.parse, after, limit, **owner)

    def has_ended(self, account_id: str, until_ms: int) -> bool:
        parameters = {"of_account_id": account_id, "until_ms": until_ms}
        return self._statements.first(_HAS_ENDED, parameters) is not None

    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        parameters = {"of_account_id": account_id, "until_ms": until_ms, "limit": limit}
        return self._statements.write(_DELETE_ENDED, parameters)
