"""Stored responses in SQL."""

from typing import get_type_hints

from sqlalchemy import and_, bindparam, delete, literal_column, select, tuple_, update

from app.domain.columns import columns_of
from app.domain.idempotency import StoredResponse
from app.repository.collections.stored_responses import StoredResponseRepository
from app.repository.sql.driver.dialect import is_among
from app.repository.sql.driver.locks import free_ones
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.tables import stored_responses

_COLUMNS = columns_of(StoredResponse)
_TYPES = tuple(get_type_hints(StoredResponse).values())

_OWN = stored_responses.c.account_id == bindparam("of_account_id")
_THIS = and_(
    _OWN,
    stored_responses.c.api_key_id == bindparam("of_key"),
    stored_responses.c.request_id == bindparam("of_request"),
)
_EXPIRED = stored_responses.c.expires_at_ms <= bindparam("now_ms")
_GET = select(*stored_responses.c).where(_THIS)
_INSERT = InsertUnlessThere(stored_responses)
_FINISH = update(stored_responses).where(_THIS).values(response=bindparam("response"))
_KEY = tuple_(stored_responses.c.api_key_id, stored_responses.c.request_id)
_OLDEST = select(stored_responses.c.api_key_id, stored_responses.c.request_id).where(_OWN, _EXPIRED)
_HAS_EXPIRED = _OLDEST.limit(literal_column("1"))
# Another unit of work may have locked one to claim it again: to wait for it could be a deadlock.
_FEW_OLD = _OLDEST.order_by(stored_responses.c.expires_at_ms).limit(bindparam("limit"))
_DELETE_EXPIRED = delete(stored_responses).where(_OWN, is_among(_KEY, free_ones(_FEW_OLD)))
_LATER = stored_responses.c.expires_at_ms > bindparam("later_ms")
_SOME_LATER = select(stored_responses.c.api_key_id, stored_responses.c.request_id).where(
    _OWN, _LATER
)
_HAS_LATER = _SOME_LATER.limit(literal_column("1"))
_END_LATER = (
    update(stored_responses)
    .where(_OWN, is_among(_KEY, free_ones(_SOME_LATER.limit(bindparam("limit")))))
    .values(expires_at_ms=bindparam("until_ms"))
)
_DELETE_THIS_IF_EXPIRED = delete(stored_responses).where(_THIS, _EXPIRED)


class SqlStoredResponses(Collection, StoredResponseRepository):
    """Stored responses to idempotent requests."""

    def get(self, account_id: str, api_key_id: str, request_id: str) -> StoredResponse | None:
        row = self._statements.first(_GET, _this(account_id, api_key_id, request_id))
        if row is None:
            return None
        return StoredResponse(*of_types("stored_responses", row, _TYPES))

    def claim(self, response: StoredResponse, now_ms: int) -> bool:
        this = _this(response.account_id, response.api_key_id, response.request_id)
        values = _COLUMNS.dump(response)
        if self._statements.write(_INSERT, values):
            return True
        if not self._statements.erase(_DELETE_THIS_IF_EXPIRED, {**this, "now_ms": now_ms}):
            return False
        return self._statements.write(_INSERT, values) > 0

    def finish(self, response: StoredResponse) -> None:
        this = _this(response.account_id, response.api_key_id, response.request_id)
        self._statements.write_later(_FINISH, {**this, "response": response.response})

    def has_expired(self, account_id: str, now_ms: int) -> bool:
        parameters = {"of_account_id": account_id, "now_ms": now_ms}
        return self._statements.first(_HAS_EXPIRED, parameters) is not None

    def has_later(self, account_id: str, later_ms: int) -> bool:
        parameters = {"of_account_id": account_id, "later_ms": later_ms}
        return self._statements.first(_HAS_LATER, parameters) is not None

    def end_later(self, account_id: str, later_ms: int, until_ms: int, limit: int) -> int:
        parameters = {"of_account_id": account_id, "later_ms": later_ms, "until_ms": until_ms}
        return self._statements.write(_END_LATER, {**parameters, "limit": limit})

    def delete_expired(self, account_id: str, now_ms: int, limit: int) -> int:
        parameters = {"of_account_id": account_id, "now_ms": now_ms, "limit": limit}
        return self._statements.erase(_DELETE_EXPIRED, parameters)


def _this(account_id: str, api_key_id: str, request_id: str) -> dict[str, object]:
    return {"of_account_id": account_id, "of_key": api_key_id, "of_request": request_id}
