"""Wrappings, and the fences of retired root keys, in SQL."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, exists, func, not_, or_, select, tuple_, update

from app.domain.columns import GuardedColumns
from app.domain.data_keys import Wrapping
from app.domain.guarded import Guarded
from app.repository.base import Fenced
from app.repository.collections.keys import WrappingRepository
from app.repository.sql.driver.dialect import as_list, is_among, is_in
from app.repository.sql.driver.locks import changing, sharing
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.tables import deployment, fences, wrappings

WRAPPINGS = GuardedColumns(Wrapping)

_ADD = InsertUnlessThere(wrappings)
_REMOVE = delete(wrappings).where(
    wrappings.c.account_id == bindparam("of_account_id"),
    wrappings.c.data_key_id == bindparam("of_data_key"),
    wrappings.c.key_ref == bindparam("of_key_ref"),
    wrappings.c.blob == bindparam("of_blob"),
)
_COUNTS = select(wrappings.c.key_ref, func.count()).group_by(wrappings.c.key_ref)
_OF_KEY_REF = wrappings.c.key_ref == bindparam("of_key_ref")
_other = wrappings.alias("other")


_HAS_OTHER = exists().where(
    _other.c.account_id == wrappings.c.account_id,
    _other.c.data_key_id == wrappings.c.data_key_id,
    is_in(_other.c.key_ref, "others"),
)
_COUNT_STRANDED = select(func.count()).select_from(wrappings).where(_OF_KEY_REF, not_(_HAS_OTHER))
_ITS_KEY = (wrappings.c.account_id, wrappings.c.data_key_id)
_FEW = select(*_ITS_KEY).where(_OF_KEY_REF).limit(bindparam("limit"))
_REMOVE_ALL = delete(wrappings).where(_OF_KEY_REF, is_among(tuple_(*_ITS_KEY), _FEW))
_FENCE = InsertUnlessThere(fences)
_CHANGED = update(deployment).values(fence_generation=deployment.c.fence_generation + 1)
_LIFT_FENCE = delete(fences).where(fences.c.key_ref == bindparam("of_key_ref"))
_FENCES = select(fences.c.key_ref).order_by(fences.c.key_ref)
_GET_FENCE = select(fences.c.key_ref).where(
    or_(fences.c.key_ref == bindparam("of_key_ref"), fences.c.key_ref == bindparam("of_root"))
)


# A fence must see every wrapping, and a wrapping every fence: who adds shares the deployment's row,
# who fences has it alone.
_SHARED = sharing(select(deployment.c.only))
_ALONE = changing(select(deployment.c.only))


class SqlWrappings(Collection, WrappingRepository):
    """Wrappings and fences."""

    _is_shared = False

    def share(self) -> None:
        """Keep fences from being put up until the unit of work ends."""
        if not self._is_shared:
            self._statements.lock(_SHARED, {})
            self._is_shared = True

    def add(self, wrapping: Guarded[Wrapping]) -> None:
        self.share()
        new = wrapping.unverified
        key_ref = new.wrapped.key_ref
        names = {"of_key_ref": key_ref, "of_root": new.root or key_ref}
        if self._statements.first(_GET_FENCE, names) is not None:
            raise Fenced
        self._statements.insert(_ADD, WRAPPINGS.dump(wrapping))

    def remove(self, wrapping: Wrapping) -> bool:
        self.share()
        this = {
            "of_account_id": wrapping.account_id,
            "of_data_key": wrapping.data_key_id,
            "of_key_ref": wrapping.wrapped.key_ref,
            "of_blob": wrapping.wrapped.blob,
        }
        return self._statements.erase(_REMOVE, this) > 0

    def counts(self) -> dict[str, int]:
        return dict(
            of_types(Wrapping.table, row, (str, int)) for row in self._statements.all(_COUNTS, {})
        )

    def count_stranded(self, key_ref: str, others: Sequence[str]) -> int:
        self._statements.lock(_ALONE, {})
        parameters = {"of_key_ref": key_ref, "others": as_list(others)}
        return self._statements.count(_COUNT_STRANDED, parameters)

    def remove_all(self, key_ref: str, limit: int) -> int:
        self._statements.lock(_ALONE, {})
        return self._statements.erase(_REMOVE_ALL, {"of_key_ref": key_ref, "limit": limit})

    def fence(self, name: str) -> bool:
        self._statements.lock(_ALONE, {})
        is_new = self._statements.write(_FENCE, {"key_ref": name}) > 0
        if is_new:
            self._statements.write(_CHANGED, {})
        return is_new

    def lift_fence(self, name: str) -> bool:
        self._statements.lock(_ALONE, {})
        is_lifted = self._statements.erase(_LIFT_FENCE, {"of_key_ref": name}) > 0
        if is_lifted:
            self._statements.write(_CHANGED, {})
        return is_lifted

    def fences(self) -> list[str]:
        return [row[0] for row in self._statements.all(_FENCES, {})]
