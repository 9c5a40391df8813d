"""Exports of the log: all that its heads prove, so that the public key alone verifies it.

An export goes from leaf to leaf and reads each block with statements of its own. No transaction is
open while its reader takes a line, so a reader that stalls holds nothing up. What a filter leaves
out is there as a hash, which proves the rest and shows nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.events import AuditEvent
from app.domain.audit.exported import (
    Line,
    block_hash_line,
    block_line,
    end_line,
    event_hash_line,
    event_line,
    head_line,
    start_line,
)
from app.domain.audit.filters import EventFilter
from app.domain.audit.tree import GrowingTree
from app.domain.damage import DamagedRow
from app.domain.errors import InvalidRequest
from app.domain.guarded import Guarded
from app.repository.base import Database, Repository
from app.repository.collections.batches import Position, Stored
from app.services.audit.log_end import alert, leaf_of, newest_verified_head, verified_tree
from app.services.audit.sealing import Sealer
from app.services.keys.system_key import SystemKey

_BATCH = 100
_EVENTS = 500


@dataclass(frozen=True, slots=True)
class ExportFilter:
    """Selects the events that an export shows.

    Attributes:
        account_id: Only those of this account.
        events: Only those that one of these filters selects.
    """

    account_id: str | None = None
    events: tuple[EventFilter, ...] = (EventFilter(),)

    @property
    def is_open(self) -> bool:
        """Return True if nothing is left out."""
        return self == ExportFilter()

    def selects(self, event: AuditEvent) -> bool:
        """Return True if the export shows this event."""
        is_of_account = self.account_id in {None, event.account_id}
        return is_of_account and any(each.selects(event) for each in self.events)


@dataclass(eq=False, repr=False)
class AuditExporter:
    """Exports the log of a deployment."""

    _database: Database
    _system_key: SystemKey
    _sealer: Sealer

    def export(self, after: int | None, wanted: ExportFilter) -> Iterator[Line]:
        """Seal what waits, then yield the lines of an export, up to the newest head.

        Args:
            after: The size with which an earlier export ended; ``None`` for all that is there.

        Raises:
            InvalidRequest: No head has this size.
        """
        opened = self._system_key.opened()
        self._sealer.seal()
        with self._database.reading() as repository:
            newest = newest_verified_head(repository, opened)
            tree = _tree_at(repository, opened, after)
        size = tree.size if newest is None else newest.size
        key = opened.head_signer.verifier
        yield start_line(key.origin, key.text, tree)
        position: Position | None = (tree.size - 1,)
        while position is not None:
            with self._database.reading() as repository:
                batch = repository.audit_log.blocks(position, _BATCH)
            for stored in batch.rows:
                leaf = stored.unverified.leaf if isinstance(stored, Guarded) else tree.size
                if leaf >= size:
                    break
                yield from self._block(opened, stored, wanted)
                yield from self._head(leaf + 1)
            position = batch.after
        yield end_line(size)

    def _head(self, size: int) -> Iterator[Line]:
        with self._database.reading() as repository:
            head = repository.audit_log.head(size)
        if head is not None:
            yield head_line(head.note)

    def _block(
        self, opened: OpenedSystemKey, stored: Stored[AuditBlock], wanted: ExportFilter
    ) -> Iterator[Line]:
        """Yield a block with its events, or its hash if the filter selects none of them."""
        block = opened.verify_stored(stored)
        if isinstance(stored, DamagedRow) or isinstance(block, DamagedRow):
            alert("audit_damaged", f"{block} is not what was sealed")
            yield block_hash_line(leaf_of(stored))
            return
        lines = [] if wanted.is_open else list(self._events(opened, block, wanted))
        if wanted.is_open or any(line["type"] == "event" for line in lines):
            yield block_line(stored)
            yield from lines or self._events(opened, block, wanted)
        else:
            yield block_hash_line(leaf_of(stored))

    def _events(
        self, opened: OpenedSystemKey, block: AuditBlock, wanted: ExportFilter
    ) -> Iterator[Line]:
        for span in block.positions:
            after = span.first - 1
            while after < span.last:
                with self._database.reading() as repository:
                    stored = repository.audit_events.between(
                        block.account_id, span.lane, after, span.last, _EVENTS
                    )
                for each in stored:
                    yield from _event(opened, each, wanted)
                known = [each.unverified.n for each in stored if isinstance(each, Guarded)]
                after = max(known, default=span.last) if len(stored) == _EVENTS else span.last


def _event(
    opened: OpenedSystemKey, stored: Stored[AuditEvent], wanted: ExportFilter
) -> Iterator[Line]:
    """Yield the line of an event. One that is not what was recorded belongs to no block."""
    event = opened.verify_stored(stored)
    if isinstance(stored, DamagedRow) or isinstance(event, DamagedRow):
        alert("audit_damaged", f"{event} is not what was recorded")
    elif wanted.selects(event):
        yield event_line(stored)
    else:
        yield event_hash_line(leaf_of(stored))


def _tree_at(repository: Repository, opened: OpenedSystemKey, size: int | None) -> GrowingTree:
    """Return the tree of a size at which a head or the newest cut stands."""
    cuts = [opened.verify_stored(each) for each in repository.audit_log.cuts()]
    cut = next((each for each in cuts if isinstance(each, AuditCut)), None)
    start = GrowingTree() if cut is None else GrowingTree(cut.leaf, cut.edge)
    if size is None or size == start.size:
        return start
    head = repository.audit_log.head(size)
    tree = None if head is None else verified_tree(opened, head)
    if tree is None or size < start.size:
        raise InvalidRequest(
            "No head has this size; take the size from the last line of an export."
        )
    return tree
