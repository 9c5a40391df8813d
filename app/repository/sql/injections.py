"""Injections in SQL."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, literal_column, select, update

from app.domain.access.api_keys import MAX_ISSUERS
from app.domain.columns import GuardedColumns
from app.domain.guarded import Guarded
from app.domain.injections import Injection, InjectionState
from app.domain.secrets import SealedValue
from app.repository.collections.batches import Batch, Position
from app.repository.collections.injections import InjectionGrant, InjectionRepository
from app.repository.sql.accounts import ACCOUNTS
from app.repository.sql.api_keys import API_KEYS
from app.repository.sql.driver import fields
from app.repository.sql.driver.dialect import as_list, is_in
from app.repository.sql.driver.statements import InsertUnlessThere, Statements
from app.repository.sql.sealed_secrets import AS_READ, as_read
from app.repository.sql.sweeps import sweep_parameters, sweeps
from app.repository.sql.tables import accounts, api_keys, injections

_OWN = injections.c.account_id == bindparam("of_account")
_THIS = and_(_OWN, injections.c.id == bindparam("of_id"))
_GET = select(*injections.c).where(_THIS)
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
    .where(_THIS)
)
_FIRST_PAGE = (
    select(*injections.c).where(_OWN).order_by(injections.c.id.desc()).limit(bindparam("limit"))
)
_NEXT_PAGE = _FIRST_PAGE.where(injections.c.id < bindparam("after_id"))
_BY_KEY = injections.c.api_key_id == bindparam("of_key")
_FIRST_PAGE_BY_KEY = _FIRST_PAGE.where(_BY_KEY)
_NEXT_PAGE_BY_KEY = _NEXT_PAGE.where(_BY_KEY)
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
_SWEEP, _SWEEP_ON = sweeps(injections)
_ENDED = select(injections.c.id).where(_OWN, injections.c.expires_at_ms <= bindparam("until_ms"))
_HAS_ENDED = _ENDED.limit(literal_column("1"))
_DELETE_ENDED = delete(injections).where(
    _OWN,
    injections.c.id.in_(
        _ENDED.order_by(injections.c.expires_at_ms)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
    ),
)
_ADD = InsertUnlessThere(injections)
# Columns that never change are not written: each would cost its indexes an entry.
_REPLACED = ("state", "redeemed_at_ms", "redeemed_from", "nonce_digest", "mac_key_id", "mac")
_REPLACE = update(injections).where(_THIS).values({name: bindparam(name) for name in _REPLACED})
_REPLACE_IF_GRANTED = _REPLACE.where(
    injections.c.mac == bindparam("seen_mac"),
    select(api_keys.c.id)
    .where(
        api_keys.c.account_id == bindparam("of_account"),
        api_keys.c.id == bindparam("of_key"),
        api_keys.c.mac == bindparam("seen_key_mac"),
    )
    .exists(),
    select(accounts.c.id)
    .where(
        accounts.c.id == bindparam("of_account"),
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
            api_keys.c.account_id == bindparam("of_account"),
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

_INJECTIONS = GuardedColumns(Injection)
_KEY_FROM = _INJECTIONS.count
_ACCOUNT_FROM = _KEY_FROM + API_KEYS.count
# Parsed where there is no such row, so that the time it takes does not tell.
_NO_GRANT = _INJECTIONS.example + API_KEYS.example + ACCOUNTS.example


class SqlInjections(InjectionRepository):
    """Injections."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, account_id: str, injection_id: str) -> Guarded[Injection] | None:
        statement = self._statements.lockable(_GET)
        row = self._statements.first(statement, _this(account_id, injection_id))
        return None if row is None else _INJECTIONS.parse(row)

    def get_grant(self, account_id: str, injection_id: str) -> InjectionGrant | None:
        found = self._statements.first(_GET_GRANT, _this(account_id, injection_id))
        row = _NO_GRANT if found is None else found
        grant = InjectionGrant(
            _INJECTIONS.parse(row[:_KEY_FROM]),
            API_KEYS.parse(row[_KEY_FROM:_ACCOUNT_FROM]),
            ACCOUNTS.parse(row[_ACCOUNT_FROM:]),
        )
        return None if found is None else grant

    def page(
        self,
        account_id: str,
        after: Position | None,
        limit: int,
        *,
        api_key_id: str | None = None,
    ) -> Batch[Injection]:
        first, following = _FIRST_PAGE, _NEXT_PAGE
        if api_key_id is not None:
            first, following = _FIRST_PAGE_BY_KEY, _NEXT_PAGE_BY_KEY
        statement = first if after is None else following
        (after_id,) = after or (None,)
        parameters = {
            "of_account": account_id,
            "of_key": api_key_id,
            "limit": limit + 1,
            "after_id": after_id,
        }
        return fields.batch(
            _INJECTIONS.parse, self._statements.all(statement, parameters), limit, (1,)
        )

    def sweep(self, after: Position | None, limit: int) -> Batch[Injection]:
        statement = _SWEEP if after is None else _SWEEP_ON
        rows = self._statements.all(statement, sweep_parameters(after, limit))
        return fields.batch(_INJECTIONS.parse, rows, limit, (0, 1))

    def has_ended(self, account_id: str, until_ms: int) -> bool:
        parameters = {"of_account": account_id, "until_ms": until_ms}
        return self._statements.first(_HAS_ENDED, parameters) is not None

    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        parameters = {"of_account": account_id, "until_ms": until_ms, "limit": limit}
        return self._statements.write(_DELETE_ENDED, parameters)

    def count_pending(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        parameters = {"of_account": account_id, "keys": as_list(key_ids), "now_ms": now_ms}
        return self._statements.count(_COUNT_PENDING, parameters)

    def add(self, injection: Guarded[Injection]) -> None:
        self._statements.insert(_ADD, _INJECTIONS.dump(injection))

    def replace(self, injection: Guarded[Injection]) -> None:
        row = injection.unverified
        self._statements.write(
            _REPLACE, {**_this(row.account_id, row.id), **_INJECTIONS.dump(injection)}
        )

    def replace_if_granted(
        self, injection: Guarded[Injection], seen: InjectionGrant, used: Sequence[SealedValue]
    ) -> bool:
        row = injection.unverified
        parameters: dict[str, object] = {
            **_this(row.account_id, row.id),
            **_INJECTIONS.dump(injection),
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


def _this(account_id: str, injection_id: str) -> dict[str, object]:
    return {"of_account": account_id, "of_id": injection_id}
