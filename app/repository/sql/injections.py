"""Injections in SQL."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, bindparam, func, select

from app.domain.access.api_keys import MAX_ISSUERS
from app.domain.guarded import Guarded
from app.domain.injections import Injection, InjectionState
from app.domain.secrets import SealedValue
from app.repository.collections.batches import Batch, Position
from app.repository.collections.injections import InjectionGrant, InjectionRepository
from app.repository.sql.access.accounts import ACCOUNTS
from app.repository.sql.api_keys import API_KEYS
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.paging import Paged
from app.repository.sql.guarded_rows import Ended, EndingRows, GuardedTable
from app.repository.sql.sealed_secrets import AS_READ, as_read
from app.repository.sql.tables import accounts, api_keys, injections

# Columns that never change are not written: each would cost its indexes an entry.
_REPLACED = ("state", "redeemed_at_ms", "redeemed_from", "nonce_digest", "mac_key_id", "mac")
_INJECTIONS = GuardedTable(injections, Injection, *_REPLACED)

_OWN = injections.c.account_id == bindparam("of_account_id")
_GET_GRANT = (
    select(*injections.c, *api_keys.c, *accounts.c)
    .join_from(
        injections,
        api_keys,
        and_(
            api_keys.c.account_id == injections.c.account_id,
            api_keys.c.id == injections.c.api_key_id,
        ),
    )
    .join(accounts, accounts.c.id == injections.c.account_id)
    .where(_INJECTIONS.this)
)
_OF_ACCOUNT = _INJECTIONS.rows.where(_OWN)
_PAGE = Paged(_OF_ACCOUNT, injections.c.id, descending=True)
_OF_KEY = _OF_ACCOUNT.where(injections.c.api_key_id == bindparam("of_key"))
_PAGE_OF_KEY = Paged(_OF_KEY, injections.c.id, descending=True)
_COUNT_PENDING = (
    select(func.count())
    .select_from(injections)
    .where(
        _OWN,
        is_in(injections.c.api_key_id, "keys"),
        injections.c.state == InjectionState.PENDING.value,
        injections.c.expires_at_ms > bindparam("now_ms"),
    )
)
_REPLACE_IF_GRANTED = _INJECTIONS.replace.where(
    injections.c.mac == bindparam("seen_mac"),
    select(api_keys.c.id)
    .where(
        api_keys.c.account_id == bindparam("of_account_id"),
        api_keys.c.id == bindparam("of_key"),
        api_keys.c.mac == bindparam("seen_key_mac"),
    )
    .exists(),
    select(accounts.c.id)
    .where(
        accounts.c.id == bindparam("of_account_id"),
        accounts.c.mac == bindparam("seen_account_mac"),
    )
    .exists(),
    AS_READ,
)


def _with_issuer(place: int) -> ColumnElement[bool]:
    """Require that the issuer at this place in the line has the MAC that was read."""
    return (
        select(api_keys.c.id)
        .where(
            api_keys.c.account_id == bindparam("of_account_id"),
            api_keys.c.id == bindparam(f"of_issuer_{place}"),
            api_keys.c.mac == bindparam(f"seen_issuer_mac_{place}"),
        )
        .exists()
    )


# One for each length of the line of issuers, so a key of the operator costs nothing more.
_IF_GRANTED_BY = tuple(
    _REPLACE_IF_GRANTED.where(*map(_with_issuer, range(length)))
    for length in range(MAX_ISSUERS + 1)
)

_KEY_FROM = _INJECTIONS.columns.count
_ACCOUNT_FROM = _KEY_FROM + API_KEYS.columns.count
# Parsed where there is no such row, so that the time it takes does not tell.
_NO_GRANT = _INJECTIONS.columns.example + API_KEYS.columns.example + ACCOUNTS.columns.example
_PARSE = _INJECTIONS.columns.parse
_PARSE_KEY = API_KEYS.columns.parse
_PARSE_ACCOUNT = ACCOUNTS.columns.parse


class SqlInjections(EndingRows[Injection], InjectionRepository):
    """Injections."""

    _table = _INJECTIONS
    _ended = Ended(injections, injections.c.expires_at_ms)

    def get(self, account_id: str, injection_id: str) -> Guarded[Injection] | None:
        return self._get(account_id, injection_id)

    def get_grant(self, account_id: str, injection_id: str) -> InjectionGrant | None:
        this = {"of_account_id": account_id, "of_id": injection_id}
        found = self._statements.first(_GET_GRANT, this)
        row = _NO_GRANT if found is None else found
        grant = InjectionGrant(
            _PARSE(row[:_KEY_FROM]),
            _PARSE_KEY(row[_KEY_FROM:_ACCOUNT_FROM]),
            _PARSE_ACCOUNT(row[_ACCOUNT_FROM:]),
        )
        return None if found is None else grant

    def page(
        self, account_id: str, after: Position | None, limit: int, *, api_key_id: str | None = None
    ) -> Batch[Injection]:
        page = _PAGE if api_key_id is None else _PAGE_OF_KEY
        owner = {"of_account_id": account_id, "of_key": api_key_id}
        return page.batch(self._statements, _PARSE, after, limit, **owner)

    def count_pending(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        parameters = {"of_account_id": account_id, "keys": as_list(key_ids), "now_ms": now_ms}
        return self._statements.count(_COUNT_PENDING, parameters)

    def replace_if_granted(
        self, injection: Guarded[Injection], seen: InjectionGrant, used: Sequence[SealedValue]
    ) -> bool:
        columns = _INJECTIONS.columns.dump(injection)
        parameters: dict[str, object] = {
            **columns,
            "of_account_id": columns["account_id"],
            "of_id": columns["id"],
            "seen_mac": seen.injection.mac.tag,
            "of_key": seen.api_key.unverified.id,
            "seen_key_mac": seen.api_key.mac.tag,
            "seen_account_mac": seen.account.mac.tag,
            **as_read(used),
        }
        for place, issuer in enumerate(seen.issuers):
            parameters[f"of_issuer_{place}"] = issuer.unverified.id
            parameters[f"seen_issuer_mac_{place}"] = issuer.mac.tag
        return self._statements.write(_IF_GRANTED_BY[len(seen.issuers)], parameters) > 0
