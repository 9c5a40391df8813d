"""Builds the blocks of one account: the next events of each lane, verified and hashed.

A committed counter proves that all smaller positions of its lane were committed. So a position
without a record that verifies is a deletion or a forgery: the block states it as missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.blocks import FIRST_PREV, AuditBlock
from app.domain.audit.events import AuditEvent
from app.domain.audit.spans import Span, Spans, gaps_of
from app.domain.audit.tree import GrowingTree
from app.domain.damage import DamagedRow
from app.domain.guarded import Guarded
from app.repository.base import Repository
from app.repository.collections.batches import Stored
from app.services.audit.log_end import alert, leaf_of

EVENTS = 1024
"""The limit on the events of one block."""

SUBJECTS = 2000
"""The number of subjects from which on a block takes no more events: each is a row to insert."""

LANES = 1000
"""The limit on the lanes of an account that blocks state; the trail makes 64."""


@dataclass(slots=True)
class AccountEnd:
    """The end of an account's chain of blocks.

    Attributes:
        number: The number of the newest block.
        leaf: Its hash.
        place: Its leaf in the log; -1 if there is no block.
        ends: The last position of each lane that is sealed.
    """

    account_id: str
    number: int = 0
    leaf: bytes = FIRST_PREV
    place: int = -1
    ends: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of positions that are sealed."""
        return sum(self.ends.values())


class BuiltBlock(NamedTuple):
    """A block to be inserted.

    Attributes:
        subjects: What its events are about, and who did it.
        events: The number of positions that it seals.
    """

    block: Guarded[AuditBlock]
    subjects: Sequence[str]
    events: int


def find_account_end(
    repository: Repository, opened: OpenedSystemKey, account_id: str
) -> AccountEnd:
    """Find the end of an account's chain, which is its newest block that verifies.

    A damaged block stays where it is: the next one takes the first number that is free.
    """
    end, log = AccountEnd(account_id), repository.audit_log
    taken: dict[int, bytes] = {}
    below: int | None = None
    while (number := log.newest_number(account_id, below)) is not None:
        below = number
        stored = log.block(account_id, number)
        if stored is None:
            continue
        taken[number] = leaf_of(stored)
        block = opened.verify_stored(stored, account_id)
        if isinstance(block, AuditBlock):
            end.number, end.place = number, block.leaf
            end.ends = dict(block.positions.ends)
            break
        alert("audit_damaged", f"block {number} is not what was sealed", account_id)
    while end.number + 1 in taken:
        end.number += 1
    end.leaf = taken.get(end.number, FIRST_PREV)
    return end


class BlockBuilder:
    """Builds one block of an account.

    Args:
        end: The chain, which ``build`` prolongs.
        counts: The counter of each lane, read before any event.
    """

    def __init__(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        end: AccountEnd,
        counts: Mapping[int, int],
    ) -> None:
        self._repository = repository
        self._opened = opened
        self._end = end
        self._counts = counts
        self._spans: list[Span] = []
        self._missing: list[Span] = []
        self._events: list[AuditEvent] = []
        self._tree = GrowingTree()
        self._subjects: set[str] = set()
        self._read = 0

    def build(self, leaf: int, at_ms: int, *, carry: bool = False) -> BuiltBlock | None:
        """Build the block for a place in the log; ``None`` if no event waits.

        Args:
            carry: Build a block without events, too, which carries the positions on.
        """
        for lane in self._lanes():
            self._take(lane)
        if not carry and not any(span.last >= span.first for span in self._spans):
            return None
        end, times = self._end, [event.at_ms for event in self._events]
        block = self._opened.guard(
            AuditBlock(
                account_id=end.account_id,
                number=end.number + 1,
                leaf=leaf,
                prev=end.leaf,
                positions=Spans.of(self._spans),
                missing=Spans.of(self._missing),
                count=len(self._events),
                root=self._tree.root,
                first_ms=min(times, default=None),
                last_ms=max(times, default=None),
                sealed_at_ms=at_ms,
            )
        )
        end.number, end.place = end.number + 1, leaf
        end.leaf = leaf_of(block)
        end.ends = {span.lane: span.last for span in self._spans}
        return BuiltBlock(block, sorted(self._subjects), self._read)

    def _lanes(self) -> Iterable[int]:
        lanes = sorted({*self._end.ends, *self._counts})
        if len(lanes) <= LANES:
            return lanes
        alert("audit_damaged", f"there are {len(lanes)} lanes", self._end.account_id)
        return sorted(self._end.ends or lanes[:LANES])

    def _take(self, lane: int) -> None:
        """Take the next events of a lane, as far as the block has room."""
        sealed = self._end.ends.get(lane, 0)
        counted = self._counts.get(lane, 0)
        if counted < sealed:
            about = f"lane {lane} counts {counted} events, of which {sealed} are sealed"
            alert("audit_rolled_back", about, self._end.account_id)
        room = EVENTS - self._read
        if counted <= sealed or room <= 0 or len(self._subjects) >= SUBJECTS:
            self._spans.append(Span(lane, sealed + 1, sealed))
            return
        account_id = self._end.account_id
        stored = self._repository.audit_events.between(account_id, lane, sealed, counted, room)
        last = counted if len(stored) < room else _last_of(stored, sealed + room)
        self._seal(stored, Span(lane, sealed + 1, last))

    def _seal(self, stored: Sequence[Stored[AuditEvent]], span: Span) -> None:
        positions = []
        for each in stored:
            event = self._opened.verify_stored(each, self._end.account_id)
            self._read += 1
            if not isinstance(event, AuditEvent):
                alert("audit_damaged", f"{event} is not what was recorded", event.account_id)
                continue
            positions.append(event.n)
            self._events.append(event)
            self._tree.append(leaf_of(each))
            self._subjects.update(subjects_of(event))
            if len(self._subjects) >= SUBJECTS:
                span = span._replace(last=event.n)
                break
        self._spans.append(span)
        for gap in gaps_of(span, positions):
            alert("audit_gap", f"records are missing: {gap}", self._end.account_id)
            self._missing.append(gap)


def subjects_of(event: AuditEvent) -> set[str]:
    """Return all by which the index finds an event: what it is about, and the keys behind it."""
    about = (subject.partition("@")[0] for subject in event.subjects)
    return {event.actor, *event.issuers, *about}


def _last_of(stored: Sequence[Stored[AuditEvent]], at_least: int) -> int:
    """Return up to which position a full batch of a lane was read.

    Args:
        at_least: The position that it reached if no row of it can be parsed.
    """
    known = [each.unverified.n for each in stored if not isinstance(each, DamagedRow)]
    return max(known, default=at_least)
