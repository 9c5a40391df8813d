"""Gateway tokens in SQL."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import ColumnElement, and_, bindparam, func, select

from app.domain.gateways.tokens import GatewayToken, TokenFilter, TokenState
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position
from app.repository.collections.gateways import GatewayGrant, GatewayTokenRepository
from app.repository.sql.access.accounts import ACCOUNTS
from app.repository.sql.api_keys import API_KEYS
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.paging import Paged
from app.repository.sql.gateways.configs import CONFIGS
from app.repository.sql.guarded_rows import Ended, EndingRows, GuardedTable
from app.repository.sql.tables import accounts, api_keys, gateway_configs, gateway_tokens

# Columns that never change are not written: each would cost its indexes an entry.
_REPLACED = ("state", "used", "pinned_address", "revoked_at_ms", "mac_key_id", "mac")
_TOKENS = GuardedTable(gateway_tokens, GatewayToken, *_REPLACED)

_OWN = gateway_tokens.c.account_id == bindparam("of_account_id")
_GET_GRANT = (
    select(*gateway_tokens.c, *api_keys.c, *accounts.c, *gateway_configs.c)
    .join_from(
        gateway_tokens,
        api_keys,
        and_(
            api_keys.c.account_id == gateway_tokens.c.account_id,
            api_keys.c.id == gateway_tokens.c.api_key_id,
        ),
    )
    .join(accounts, accounts.c.id == gateway_tokens.c.account_id)
    .outerjoin(
        gateway_configs,
        and_(
            gateway_configs.c.account_id == gateway_tokens.c.account_id,
            gateway_configs.c.id == gateway_tokens.c.config_id,
        ),
    )
    .where(_TOKENS.this)
)
_COUNT_LIVE = (
    select(func.count())
    .select_from(gateway_tokens)
    .where(
        _OWN,
        is_in(gateway_tokens.c.api_key_id, "keys"),
        gateway_tokens.c.state == TokenState.LIVE.value,
        gateway_tokens.c.expires_at_ms > bindparam("now_ms"),
    )
)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "of_devbox": gateway_tokens.c.devbox_id == bindparam("of_devbox"),
    "of_config": gateway_tokens.c.config_id == bindparam("of_config"),
    "of_key": gateway_tokens.c.api_key_id == bindparam("of_key"),
}


@cache
def _page(*filters: str) -> Paged:
    rows = _TOKENS.rows.where(_OWN, *(_FILTERS[name] for name in filters))
    return Paged(rows, gateway_tokens.c.id, descending=True)


_KEY_FROM = _TOKENS.columns.count
_ACCOUNT_FROM = _KEY_FROM + API_KEYS.columns.count
_CONFIG_FROM = _ACCOUNT_FROM + ACCOUNTS.columns.count
# Parsed where there is no such row, so that the time it takes does not tell.
_NO_GRANT = (
    *(*_TOKENS.columns.example, *API_KEYS.columns.example, *ACCOUNTS.columns.example),
    *CONFIGS.columns.example,
)
_PARSE = _TOKENS.columns.parse
_PARSE_KEY = API_KEYS.columns.parse
_PARSE_ACCOUNT = ACCOUNTS.columns.parse
_PARSE_CONFIG = CONFIGS.columns.parse


class SqlGatewayTokens(EndingRows[GatewayToken], GatewayTokenRepository):
    """Gateway tokens."""

    _table = _TOKENS
    _ended = Ended(gateway_tokens, gateway_tokens.c.expires_at_ms)

    def get(self, account_id: str, token_id: str) -> Guarded[GatewayToken] | None:
        return self._get(account_id, token_id)

    def get_grant(self, account_id: str, token_id: str) -> GatewayGrant | None:
        this = {"of_account_id": account_id, "of_id": token_id}
        found = self._statements.first(_GET_GRANT, this)
        row = _NO_GRANT if found is None else found
        config = row[_CONFIG_FROM:]
        grant = GatewayGrant(
            _PARSE(row[:_KEY_FROM]),
            _PARSE_KEY(row[_KEY_FROM:_ACCOUNT_FROM]),
            _PARSE_ACCOUNT(row[_ACCOUNT_FROM:_CONFIG_FROM]),
            None if all(column is None for column in config) else _PARSE_CONFIG(config),
        )
        return None if found is None else grant

    def page(
        self, account_id: str, wanted: TokenFilter, after: Position | None, limit: int
    ) -> Batch[GatewayToken]:
        filters = {
            "of_devbox": wanted.devbox_id,
            "of_config": wanted.config_id,
            "of_key": wanted.api_key_id,
        }
        used = {name: value for name, value in filters.items() if value is not None}
        page = _page(*sorted(used))
        return page.batch(self._statements, _PARSE, after, limit, of_account_id=account_id, **used)

    def count_live(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        parameters = {"of_account_id": account_id, "keys": as_list(key_ids), "now_ms": now_ms}
        return self._statements.count(_COUNT_LIVE, parameters)
