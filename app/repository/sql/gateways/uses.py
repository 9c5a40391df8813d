"""Gateway uses in SQL."""

from sqlalchemy import bindparam

from app.domain.gateways.uses import GatewayUse
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position
from app.repository.collections.gateways import GatewayUseRepository
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import Ended, EndingRows, GuardedTable
from app.repository.sql.tables import gateway_uses

# Columns that never change are not written: each would cost its indexes an entry.
_END = ("status", "bytes_in", "bytes_out", "milliseconds", "scrub_hits")
_USES = GuardedTable(gateway_uses, GatewayUse, *_END, "mac_key_id", "mac")

_OWN = gateway_uses.c.account_id == bindparam("of_account_id")
_OF_ACCOUNT = _USES.rows.where(_OWN)
_PAGE = Paged(_OF_ACCOUNT, gateway_uses.c.id, descending=True)
_OF_TOKEN = _OF_ACCOUNT.where(gateway_uses.c.token_id == bindparam("of_token"))
_PAGE_OF_TOKEN = Paged(_OF_TOKEN, gateway_uses.c.id, descending=True)


class SqlGatewayUses(EndingRows[GatewayUse], GatewayUseRepository):
    """Requests that the gateway was admitted to carry."""

    _table = _USES
    _ended = Ended(gateway_uses, gateway_uses.c.created_at_ms)

    def get(self, account_id: str, use_id: str) -> Guarded[GatewayUse] | None:
        return self._get(account_id, use_id)

    def page(
        self, account_id: str, token_id: str | None, after: Position | None, limit: int
    ) -> Batch[GatewayUse]:
        page = _PAGE if token_id is None else _PAGE_OF_TOKEN
        owner = {"of_account_id": account_id, "of_token": token_id}
        return page.batch(self._statements, _USES.columns.parse, after, limit, **owner)
