"""Records of the audit trail in SQL, and the lanes in which they are counted.

A transaction counts its record in a lane that no other one has locked, so records of one account
need not wait for each other. On SQLite, which has one writer, an account has one lane. There it is
read and then counted: for what an UPDATE returns SQLite makes a table, which costs as much again.
"""

import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.domain.columns import Row
from app.domain.errors import StorageUnavailable, TamperedRow
from app.domain.guarded import GuardedField
from app.repository.collections.audit import AuditEventRepository, LaneCount
from app.repository.collections.batches import Batch, Position, Stored
from app.repository.sql.audit.tables import audit_events, audit_lanes
from app.repository.sql.driver.dialect import LIKE_ESCAPE, containing
from app.repository.sql.driver.locks import excluding, free_ones
from app.repository.sql.driver.paging import Paged
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.guarded_rows import GuardedTable

MAX_LANES = 64
"""The number of lanes of an account from which on a transaction waits for one."""

_LANE_BITS = 48
_MOST = 2**62

_EVENTS = GuardedTable(audit_events, AuditEvent)

_OWN_LANES = audit_lanes.c.account_id == bindparam("of_account_id")
# A count that only somebody else can have written is left alone.
_IS_SOUND = audit_lanes.c.n.between(literal_column("0"), literal_column(str(_MOST)))
_LANES = select(audit_lanes.c.lane).where(_OWN_LANES, _IS_SOUND).limit(literal_column("1"))
_ONE_MORE = update(audit_lanes).values(n=audit_lanes.c.n + literal_column("1"))
_COUNT = _ONE_MORE.returning(audit_lanes.c.lane, audit_lanes.c.n)
# Compared by =, never by IN: PostgreSQL may run a subquery of IN several times.
_TAKE_FREE, _TAKE_ANY = (
    _COUNT.where(_OWN_LANES, audit_lanes.c.lane == lanes.scalar_subquery())
    for lanes in (
        free_ones(_LANES.order_by(audit_lanes.c.lane)),
        excluding(_LANES.order_by(func.random())),
    )
)
_NEXT = _LANES.add_columns(audit_lanes.c.n + literal_column("1")).order_by(audit_lanes.c.lane)
_COUNT_ALONE = _ONE_MORE.where(_OWN_LANES, audit_lanes.c.lane == bindparam("of_lane"))
_HAS_ROOM = (
    select(func.count()).select_from(audit_lanes).where(_OWN_LANES).scalar_subquery()
) < literal_column(str(MAX_LANES))
# Cast, since a parameter in a list of columns has no type of its own.
_NEW_ROW: tuple[ColumnElement[Any], ...] = (
    cast(bindparam("of_account_id"), Text()),
    cast(bindparam("new_lane"), audit_lanes.c.lane.type),
    literal_column("1"),
)
_NEW_LANE = InsertUnlessThere(audit_lanes).from_select(
    ["account_id", "lane", "n"], select(*_NEW_ROW).where(_HAS_ROOM)
)

# It must not skip a row: a record that cannot be added fails its transaction.
_ADD = insert(audit_events)

_COUNTS = select(*audit_lanes.c).where(_OWN_LANES)
_ALL_COUNTS = Paged(select(*audit_lanes.c), audit_lanes.c.account_id, audit_lanes.c.lane)

_OWN = audit_events.c.account_id == bindparam("of_account_id")
_BETWEEN = (
    _EVENTS.rows.where(
        _OWN,
        audit_events.c.lane == bindparam("of_lane"),
        audit_events.c.n > bindparam("after_n"),
        audit_events.c.n <= bindparam("until_n"),
    )
    .order_by(audit_events.c.n)
    .limit(bindparam("limit"))
)


def _holding(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    return column.like(bindparam(name), escape=LIKE_ESCAPE)


_FILTERS: Mapping[str, ColumnElement[bool]] = {
    "of_action": audit_events.c.action == bindparam("of_action"),
    "of_actor": or_(
        audit_events.c.actor == bindparam("of_actor"),
        _holding(audit_events.c.issuers, "holding_issuer"),
    ),
    "of_subject": _holding(audit_events.c.subjects, "of_subject"),
    "since_ms": audit_events.c.at_ms >= bindparam("since_ms"),
    "until_ms": audit_events.c.at_ms < bindparam("until_ms"),
}


@cache
def _page(*filters: str) -> Paged:
    wanted = _EVENTS.rows.where(_OWN, *(_FILTERS[name] for name in filters))
    return Paged(wanted, audit_events.c.id, descending=True)


class SqlAuditEvents(Collection, AuditEventRepository):
    """Records, and the lanes in which they are counted."""

    def take_place(self, account_id: str) -> tuple[int, int]:
        this = {"of_account_id": account_id}
        taken = self._take_free(this)
        if taken is None:
            lane = secrets.randbits(_LANE_BITS)
            if self._statements.write(_NEW_LANE, {**this, "new_lane": lane}):
                return lane, 1
            taken = self._statements.change_and_return(_TAKE_ANY, this)
        if taken is None:
            raise StorageUnavailable("No lane of the audit trail is free.")
        return taken[0], taken[1]

    def _take_free(self, this: Mapping[str, object]) -> Row | None:
        """Count in a free lane. Returns the lane and the count, ``None`` if there is none."""
        if self._statements.locks:
            return self._statements.change_and_return(_TAKE_FREE, this)
        found = self._statements.first(_NEXT, this)
        if found is None or not self._statements.write(_COUNT_ALONE, {**this, "of_lane": found[0]}):
            return None
        return found

    def add(self, columns: Mapping[str, GuardedField]) -> None:
        self._statements.write_later(_ADD, columns)

    def counts(self, account_id: str) -> list[LaneCount]:
        rows = self._statements.all(_COUNTS, {"of_account_id": account_id})
        return [LaneCount(*of_types("audit_lanes", row, (str, int, int))) for row in rows]

    def all_counts(self, after: Position | None, limit: int) -> list[LaneCount]:
        rows = _ALL_COUNTS.rows(self._statements, after, limit)
        return [LaneCount(*of_types("audit_lanes", row, (str, int, int))) for row in rows]

    def between(
        self, account_id: str, lane: int, after_n: int, until_n: int, limit: int
    ) -> Sequence[Stored[AuditEvent]]:
        this = {"of_account_id": account_id, "of_lane": lane, "limit": limit}
        bounds = {"after_n": after_n, "until_n": until_n}
        found: list[Stored[AuditEvent]] = []
        for row in self._statements.all(_BETWEEN, {**this, **bounds}):
            try:
                found.append(_EVENTS.columns.parse(row))
            except TamperedRow as error:
                found.append(error.row)
        return found

    def page(
        self, account_id: str, wanted: EventFilter, after: Position | None, limit: int
    ) -> Batch[AuditEvent]:
        parameters: dict[str, object] = {
            "of_action": wanted.action,
            "of_actor": wanted.actor,
            "of_subject": None if wanted.subject is None else containing(wanted.subject),
            "since_ms": wanted.since_ms,
            "until_ms": wanted.until_ms,
        }
        filters = [name for name, value in parameters.items() if value is not None]
        if wanted.actor is not None:
            parameters["holding_issuer"] = containing(wanted.actor)
        parameters["of_account_id"] = account_id
        page = _page(*filters)
        return page.batch(self._statements, _EVENTS.columns.parse, after, limit, **parameters)
