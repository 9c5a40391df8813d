"""Verifies blocks in the order of the log, each with its events and its part of the index."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.blocks import FIRST_PREV, AuditBlock
from app.domain.audit.events import AuditEvent
from app.domain.audit.findings import AuditFindings
from app.domain.audit.spans import Span, gaps_of, without
from app.domain.audit.tree import GrowingTree
from app.domain.damage import DamagedRow
from app.domain.guarded import Guarded
from app.repository.base import Repository
from app.repository.collections.batches import Stored
from app.services.audit.block_builder import subjects_of
from app.services.audit.log_end import leaf_of

_BATCH = 500

Seen = Callable[[AuditEvent], None]
"""Called with each event that is what was recorded."""


@dataclass(slots=True)
class Chain:
    """The blocks of one account, as far as they were verified.

    Attributes:
        number: The number of the newest one; ``None`` after one whose number is unknown.
        leaf: Its hash.
        firsts: The first position of each lane that is still there.
        ends: The last position of each lane that is sealed; ``None`` after a damaged block.
        indexed: The number of entries that the index has for these blocks.
    """

    number: int | None = 0
    leaf: bytes = FIRST_PREV
    firsts: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] | None = field(default_factory=dict)
    indexed: int = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """Reads and verifies the events of one part of a lane."""

    repository: Repository
    opened: OpenedSystemKey
    findings: AuditFindings
    account_id: str

    def events(self, span: Span) -> Iterator[Stored[AuditEvent]]:
        """Yield the events as they are stored, in the order of their positions."""
        after = span.first - 1
        while after < span.last:
            stored = self.repository.audit_events.between(
                self.account_id, span.lane, after, span.last, _BATCH
            )
            yield from stored
            if len(stored) < _BATCH:
                return
            known = [each.unverified.n for each in stored if isinstance(each, Guarded)]
            after = max(known, default=after + _BATCH)

    def verified(self, stored: Stored[AuditEvent]) -> AuditEvent | None:
        """Return an event, or note that it is not what was recorded."""
        event = self.opened.verify_stored(stored, self.account_id)
        if isinstance(event, AuditEvent):
            return event
        where = ""
        if isinstance(stored, Guarded):
            where = f", lane {stored.unverified.lane}, position {stored.unverified.n}"
        self.findings.fault(f"{event}{where}: it is not what was recorded")
        return None


class BlockCheck:
    """Verifies the blocks of all accounts.

    Args:
        is_cut: Leaves were cut, so an account may begin with a later block.

    Attributes:
        chains: The chain of each account.
    """

    def __init__(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        findings: AuditFindings,
        seen: Seen,
        *,
        is_cut: bool,
    ) -> None:
        self._repository = repository
        self._opened = opened
        self._findings = findings
        self._seen = seen
        self._is_cut = is_cut
        self.chains: dict[str, Chain] = {}

    def check(self, leaf: int, stored: Stored[AuditBlock]) -> AuditBlock | None:
        """Verify one block. Returns it, or ``None`` if it is not what was written."""
        self._findings.blocks += 1
        if isinstance(stored, DamagedRow):
            self._findings.fault(f"{stored}, leaf {leaf}: it is not what was written")
            self._break(stored.account_id)
            return None
        block = stored.unverified
        place = _place(block)
        if not isinstance(self._opened.verify_stored(stored), AuditBlock):
            self._findings.fault(f"{place}: it is not what was written")
            self._break(block.account_id)
            return None
        self._check_chain(block, leaf_of(stored), place)
        self._check_events(block, place)
        return block

    def _break(self, account_id: str | None) -> None:
        """Go on after a block that says nothing: what follows it cannot be compared with it."""
        for chain in self.chains.values() if account_id is None else [self._chain(account_id)]:
            chain.number = chain.ends = None

    def _chain(self, account_id: str) -> Chain:
        return self.chains.setdefault(account_id, Chain())

    def _check_chain(self, block: AuditBlock, leaf: bytes, place: str) -> None:
        is_first = block.account_id not in self.chains
        chain = self._chain(block.account_id)
        if not (is_first and self._is_cut) and chain.number is not None:
            if (block.number, block.prev) != (chain.number + 1, chain.leaf):
                self._findings.fault(f"{place}: it does not follow block {chain.number}")
            self._check_positions(block, chain.ends, place)
        for span in block.positions:
            chain.firsts.setdefault(span.lane, span.first)
        chain.number, chain.leaf = block.number, leaf
        chain.ends = dict(block.positions.ends)

    def _check_positions(self, block: AuditBlock, ends: dict[int, int] | None, place: str) -> None:
        if ends is None:
            return
        begins = {span.lane: span.first - 1 for span in block.positions}
        if {**dict.fromkeys(begins, 0), **ends} != begins:
            self._findings.fault(f"{place}: its positions do not continue those before it")

    def _check_events(self, block: AuditBlock, place: str) -> None:
        faults = len(self._findings.faults) + self._findings.uncounted
        tree, times = GrowingTree(), []
        subjects: set[str] = set()
        for span in block.positions:
            missing = [each for each in block.missing if each.lane == span.lane]
            for event, leaf in self._events(block, span, missing):
                tree.append(leaf)
                times.append(event.at_ms)
                subjects |= subjects_of(event)
        self._check_index(block, sorted(subjects), place)
        found = (tree.size, tree.root, min(times, default=None), max(times, default=None))
        written = (block.count, block.root, block.first_ms, block.last_ms)
        is_explained = len(self._findings.faults) + self._findings.uncounted > faults
        if found != written and not is_explained:
            self._findings.fault(f"{place}: its events are not those that were sealed")

    def _events(
        self, block: AuditBlock, span: Span, missing: Sequence[Span]
    ) -> Iterator[tuple[AuditEvent, bytes]]:
        """Yield the verified events of a part of a lane, and note what is not there."""
        spot = Spot(self._repository, self._opened, self._findings, block.account_id)
        positions = []
        for stored in spot.events(span):
            self._findings.events += 1
            event = spot.verified(stored)
            if event is None:
                continue
            positions.append(event.n)
            if any(gap.first <= event.n <= gap.last for gap in missing):
                where = f"{event.id} (account {event.account_id})"
                self._findings.fault(f"a row of audit_events: {where} came back after it was gone")
            else:
                self._seen(event)
                yield event, leaf_of(stored)
        for gap in missing:
            where = f"account {block.account_id}, {gap}"
            self._findings.fault(f"audit_events: {where}: they were gone when they were sealed")
        for gap in gaps_of(span, positions):
            for part in without(gap, missing):
                where = f"account {block.account_id}, {part}"
                self._findings.fault(f"audit_events: {where}: they are gone, or not as recorded")

    def _check_index(self, block: AuditBlock, subjects: Sequence[str], place: str) -> None:
        self._chain(block.account_id).indexed += len(subjects)
        log = self._repository.audit_log
        found = log.count_indexed(block.account_id, block.number, subjects) if subjects else 0
        if found != len(subjects):
            lacking = len(subjects) - found
            self._findings.fault(f"audit_subjects: {lacking} entries of {place} are gone")


def _place(block: AuditBlock) -> str:
    return f"block {block.number} of account {block.account_id}, leaf {block.leaf}"
