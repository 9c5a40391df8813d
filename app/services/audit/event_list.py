"""Lists of records: an account's own by the API, any account's by the operator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.domain.damage import DamagedRow
from app.repository.base import Database
from app.repository.collections.batches import Position
from app.services.audit.trail import name_hash
from app.services.keys.system_key import SystemKey

MAX_PAGE_BYTES = 1024 * 1024

_BATCH = 100
_ROW_BYTES = 1024
_LOOKED_AT = 2000
_CLOCKS_DIFFER_MS = 60 * 60 * 1000
"""Ids are in the order of the clocks of several hosts."""

ListedEvent = AuditEvent | DamagedRow


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of records, newest first.

    Attributes:
        last_id: The record that was looked at last, after which the next page begins.
        has_more: Whether others follow.
    """

    events: Sequence[ListedEvent]
    last_id: str | None
    has_more: bool


@dataclass(eq=False, repr=False)
class AuditEventList:
    """Lists the records of accounts. Each is verified; only ``audit verify`` finds what is gone."""

    _database: Database
    _system_key: SystemKey

    def page(
        self, account_id: str, wanted: EventFilter, limit: int, after_id: str | None
    ) -> EventPage:
        """Return one page of an account's records, newest first.

        It looks at 2,000 records at most, so a filter that selects few ends a page early. So does
        a megabyte of records.
        """
        events: list[ListedEvent] = []
        looked, last, room = 0, after_id, MAX_PAGE_BYTES
        for looked, (row_id, event) in enumerate(self._read(account_id, after_id), 1):
            last = row_id
            if isinstance(event, DamagedRow) or wanted.selects(event):
                events.append(event)
                room -= _size(event)
            if len(events) == limit or looked == _LOOKED_AT or room < 0:
                break
        has_more = next(self._read(account_id, last), None) is not None if looked else False
        return EventPage(events, last, has_more)

    def all(self, account_id: str, wanted: Sequence[EventFilter]) -> Iterator[ListedEvent]:
        """Yield all records that a filter selects, newest first; no transaction stays open."""
        since = min((each.since_ms or 0 for each in wanted), default=0)
        for _, event in self._read(account_id, None):
            if isinstance(event, DamagedRow) or any(each.selects(event) for each in wanted):
                yield event
            elif event.at_ms < since - _CLOCKS_DIFFER_MS:
                return

    def ids_of(self, account_id: str, name: str) -> frozenset[str]:
        """Return the ids of all that had this name when it was recorded, also if it is gone."""
        opened, ids = self._system_key.opened(), set[str]()
        searched = f'"{name_hash(opened, account_id, name)}"'
        for _, event in self._read(account_id, None):
            if isinstance(event, AuditEvent) and searched in (event.details or ""):
                ids.update(subject.partition("@")[0] for subject in event.subjects)
        return frozenset(ids)

    def _read(self, account_id: str, after_id: str | None) -> Iterator[tuple[str, ListedEvent]]:
        """Yield records with their ids, newest first."""
        opened = self._system_key.opened()
        after: Position | None = None if after_id is None else (after_id,)
        while True:
            with self._database.reading() as repository:
                batch = repository.audit_events.page(account_id, EventFilter(), after, _BATCH)
            for each in batch.rows:
                row_id = each.id if isinstance(each, DamagedRow) else each.unverified.id
                yield row_id or "", opened.verify_stored(each, account_id)
            after = batch.after
            if after is None:
                return


def _size(event: ListedEvent) -> int:
    if isinstance(event, DamagedRow):
        return _ROW_BYTES
    ids = (*event.issuers, *event.subjects)
    return _ROW_BYTES + sum(map(len, ids)) + len(event.details or "")
