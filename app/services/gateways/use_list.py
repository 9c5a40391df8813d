"""The uses of gateway tokens, as their account sees them."""

from dataclasses import dataclass
from functools import partial

from app.domain.access.api_keys import Caller
from app.domain.damage import DamagedRow
from app.domain.gateways.uses import GatewayUse, UsePage
from app.domain.ids import GATEWAY_USE, is_id
from app.repository.base import Database
from app.repository.collections.batches import Stored
from app.services.keys.system_key import SystemKey
from app.services.rows.pages import BoundedPage, fill

MAX_PAGE_BYTES = 1024 * 1024
_ROW_BYTES = 1024
"""More than a shown use takes beside its path."""


@dataclass(eq=False, repr=False)
class GatewayUseList:
    """Lists the requests that the gateway was admitted to carry."""

    _database: Database
    _system_key: SystemKey

    def list(
        self, caller: Caller, token_id: str | None, limit: int, after_id: str | None
    ) -> UsePage:
        """One page of the account's uses, newest first; of one token, if one is given.

        A damaged row is shown as damaged; one whose id no client could ask for is left out.
        """
        page = BoundedPage[GatewayUse | DamagedRow](limit, MAX_PAGE_BYTES)
        opened = self._system_key.opened()

        def add(stored: Stored[GatewayUse]) -> None:
            row = opened.verify_stored(stored, caller.account_id)
            if isinstance(row, GatewayUse):
                page.add(row, len(row.path) + _ROW_BYTES)
            elif row.id is not None and is_id(row.id, GATEWAY_USE):
                page.add(row, _ROW_BYTES)

        with self._database.reading() as repository:
            uses = partial(repository.gateway_uses.page, caller.account_id, token_id)
            has_more = fill(page, uses, add, None if after_id is None else (after_id,))
        return UsePage(page.rows, has_more)
