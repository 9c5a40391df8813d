"""Blocks, heads, cuts and the index of subjects in SQL."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import bindparam, delete, func, select, tuple_

from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.events import AuditEvent
from app.domain.audit.heads import AuditHead
from app.domain.audit.spans import Span
from app.domain.columns import Row
from app.domain.damage import DamagedRow
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from app.repository.collections.audit_log import AuditLogRepository
from app.repository.collections.batches import Batch, Position, Stored
from app.repository.sql.audit.tables import (
    audit_blocks,
    audit_cuts,
    audit_events,
    audit_heads,
    audit_lanes,
    audit_subjects,
)
from app.repository.sql.driver.dialect import as_list, is_among, is_in
from app.repository.sql.driver.paging import Paged
from app.repository.sql.driver.statements import Collection, InsertUnlessThere, of_types
from app.repository.sql.guarded_rows import GuardedTable

T = TypeVar("T")

_BLOCKS = GuardedTable(audit_blocks, AuditBlock)
_CUTS = GuardedTable(audit_cuts, AuditCut)
_PARSE = _BLOCKS.columns.parse

_TOTAL = func.coalesce(func.sum(audit_lanes.c.n), 0)
_COUNT_EVENTS = select(_TOTAL)
_TOTALS = (
    select(audit_lanes.c.account_id, _TOTAL)
    .where(audit_lanes.c.account_id > bindparam("after_id"))
    .group_by(audit_lanes.c.account_id)
    .order_by(audit_lanes.c.account_id)
    .limit(bindparam("limit"))
)

_EVENT_LANE = (audit_events.c.account_id, audit_events.c.lane)
_NEXT_LANE = (
    select(*_EVENT_LANE, audit_events.c.n)
    .where(tuple_(*_EVENT_LANE) > tuple_(bindparam("after_account"), bindparam("after_lane")))
    .order_by(*_EVENT_LANE, audit_events.c.n)
    .limit(bindparam("limit"))
)
_LAST_OF_LANE = select(func.max(audit_events.c.n)).where(
    audit_events.c.account_id == bindparam("of_account_id"),
    audit_events.c.lane == bindparam("of_lane"),
)

_NEWEST_NUMBER = (
    select(audit_blocks.c.number)
    .where(
        audit_blocks.c.account_id == bindparam("of_account_id"),
        audit_blocks.c.number < bindparam("below"),
    )
    .order_by(audit_blocks.c.number.desc())
    .limit(bindparam("limit"))
)
_BY_LEAF = Paged(_BLOCKS.rows, audit_blocks.c.leaf)

_HEADS = select(*audit_heads.c)
_HEAD = _HEADS.where(audit_heads.c.size == bindparam("of_size"))
_NEWEST_HEAD = (
    _HEADS.where(audit_heads.c.size < bindparam("below"))
    .order_by(audit_heads.c.size.desc())
    .limit(bindparam("limit"))
)
_NEWEST_UNTIL = (
    _HEADS.where(audit_heads.c.at_ms <= bindparam("until_ms"))
    .order_by(audit_heads.c.size.desc())
    .limit(bindparam("limit"))
)
_ALL_HEADS = Paged(_HEADS, audit_heads.c.size)
_ADD_HEAD = InsertUnlessThere(audit_heads)

_INDEX = InsertUnlessThere(audit_subjects)
_INDEXED = Paged(select(*audit_subjects.c), *audit_subjects.primary_key)
_COUNT_INDEXED = select(func.count()).where(
    audit_subjects.c.account_id == bindparam("of_account_id"),
    audit_subjects.c.number == bindparam("of_number"),
    is_in(audit_subjects.c.subject, "subjects"),
)

_OTHER_CUTS = delete(audit_cuts).where(audit_cuts.c.leaf != bindparam("of_leaf"))
_DELETE_EVENTS = delete(audit_events).where(
    audit_events.c.account_id == bindparam("of_account_id"),
    audit_events.c.lane == bindparam("of_lane"),
    audit_events.c.n.between(bindparam("first"), bindparam("last")),
)
_DELETE_ENTRIES = delete(audit_subjects).where(
    audit_subjects.c.account_id == bindparam("of_account_id"),
    audit_subjects.c.number == bindparam("of_number"),
    is_in(audit_subjects.c.subject, "subjects"),
)
_DELETE_BLOCK = delete(audit_blocks).where(
    audit_blocks.c.account_id == bindparam("of_account_id"),
    audit_blocks.c.number == bindparam("of_number"),
)
_OLD_HEADS = (
    select(audit_heads.c.size)
    .where(audit_heads.c.size <= bindparam("until_size"))
    .order_by(audit_heads.c.size)
    .limit(bindparam("limit"))
)
_DELETE_HEADS = delete(audit_heads).where(is_among(audit_heads.c.size, _OLD_HEADS))

_LARGEST = 2**63 - 1


class SqlAuditLog(Collection, AuditLogRepository):
    """Blocks, heads, cuts and the index of subjects."""

    def count_events(self) -> int:
        return self._statements.count(_COUNT_EVENTS, {})

    def totals(self, after_account_id: str | None, limit: int) -> list[tuple[str, int]]:
        parameters = {"after_id": after_account_id or "", "limit": limit}
        return [(each[0], int(each[1])) for each in self._statements.all(_TOTALS, parameters)]

    def next_lane(self, after: tuple[str, int] | None) -> tuple[str, Span] | None:
        account_id, lane = after or ("", 0)
        parameters = {"after_account": account_id, "after_lane": lane, "limit": 1}
        found = self._statements.first(_NEXT_LANE, parameters)
        if found is None:
            return None
        account_id, lane, first = of_types(AuditEvent.table, found, (str, int, int))
        of_lane = {"of_account_id": account_id, "of_lane": lane}
        return account_id, Span(lane, first, self._statements.count(_LAST_OF_LANE, of_lane))

    def newest_number(self, account_id: str, below: int | None) -> int | None:
        limit = _LARGEST if below is None else below
        parameters = {"of_account_id": account_id, "below": limit, "limit": 1}
        row = self._statements.first(_NEWEST_NUMBER, parameters)
        return None if row is None else int(row[0])

    def block(self, account_id: str, number: int) -> Stored[AuditBlock] | None:
        this = {"of_account_id": account_id, "of_number": number}
        return _stored(_PARSE, self._statements.first(_BLOCKS.get, this))

    def blocks(self, after: Position | None, limit: int) -> Batch[AuditBlock]:
        return _BY_LEAF.batch(self._statements, _PARSE, after, limit)

    def add_block(self, block: Guarded[AuditBlock]) -> None:
        self._statements.insert(_BLOCKS.add, _BLOCKS.columns.dump(block))

    def newest_head(self, below_size: int | None = None) -> AuditHead | None:
        limit = _LARGEST if below_size is None else below_size
        row = self._statements.first(_NEWEST_HEAD, {"below": limit, "limit": 1})
        return None if row is None else _head(row)

    def newest_head_until(self, at_ms: int) -> AuditHead | None:
        row = self._statements.first(_NEWEST_UNTIL, {"until_ms": at_ms, "limit": 1})
        return None if row is None else _head(row)

    def head(self, size: int) -> AuditHead | None:
        row = self._statements.first(_HEAD, {"of_size": size})
        return None if row is None else _head(row)

    def heads(self, after_size: int, limit: int) -> Sequence[AuditHead]:
        return [_head(row) for row in _ALL_HEADS.rows(self._statements, (after_size,), limit)]

    def add_head(self, head: AuditHead) -> None:
        columns = {"size": head.size, "root": head.root, "edge": head.edge}
        self._statements.insert(_ADD_HEAD, {**columns, "at_ms": head.at_ms, "note": head.note})

    def index(self, account_id: str, number: int, subjects: Sequence[str]) -> None:
        for subject in subjects:
            entry = {"account_id": account_id, "subject": subject, "number": number}
            self._statements.write(_INDEX, entry)

    def count_indexed(self, account_id: str, number: int, subjects: Sequence[str]) -> int:
        of_block = {"of_account_id": account_id, "of_number": number}
        return self._statements.count(_COUNT_INDEXED, {**of_block, "subjects": as_list(subjects)})

    def indexed(self, after: Position | None, limit: int) -> list[tuple[str, str, int]]:
        rows = _INDEXED.rows(self._statements, after, limit)
        return [(account, subject, number) for account, subject, number in rows]

    def cuts(self) -> Sequence[Stored[AuditCut]]:
        rows = self._statements.all(_CUTS.rows, {})
        stored = (_stored(_CUTS.columns.parse, row) for row in rows)
        return [each for each in stored if each is not None]

    def replace_cut(self, cut: Guarded[AuditCut]) -> None:
        self._statements.write(_CUTS.add, _CUTS.columns.dump(cut))
        self._statements.write(_OTHER_CUTS, {"of_leaf": cut.unverified.leaf})

    def delete_events(self, account_id: str, span: Span) -> None:
        this = {"of_account_id": account_id, "of_lane": span.lane}
        self._statements.write(_DELETE_EVENTS, {**this, "first": span.first, "last": span.last})

    def delete_entries(self, account_id: str, number: int, subjects: Sequence[str]) -> None:
        this = {"of_account_id": account_id, "of_number": number}
        self._statements.write(_DELETE_ENTRIES, {**this, "subjects": as_list(subjects)})

    def delete_block(self, account_id: str, number: int) -> None:
        this = {"of_account_id": account_id, "of_number": number}
        self._statements.write(_DELETE_BLOCK, this)

    def delete_heads(self, until_size: int, limit: int) -> int:
        parameters = {"until_size": until_size, "limit": limit}
        return self._statements.write(_DELETE_HEADS, parameters)


def _stored(parse: Callable[[Row], T], row: Row | None) -> T | DamagedRow | None:
    """Parse a row; a damaged one must not hide others."""
    if row is None:
        return None
    try:
        return parse(row)
    except TamperedRow as error:
        return error.row


def _head(row: Row) -> AuditHead:
    """Parse a head. One that cannot be has its size, and a note that nobody signed."""
    size, root, edge, at_ms, note = row
    return AuditHead(size, root, edge, at_ms, note if isinstance(note, str) else "")
