"""The verification of the whole audit trail: from each record to the heads that left the host.

It reads the log leaf by leaf while workers write on. What is compared with something newer is read
before it, so a commit in between is no fault.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.checkpoints import Checkpoint, NotACheckpoint
from app.domain.audit.cuts import AuditCut
from app.domain.audit.findings import LISTED, AuditFindings
from app.domain.audit.tree import GrowingTree
from app.domain.errors import DomainError
from app.domain.guarded import Guarded
from app.repository.base import Database, Repository
from app.repository.collections.batches import Position, Stored
from app.services.audit.log_end import leaf_of, newest_verified_head
from app.services.audit.sealing import Sealer
from app.services.audit.verifying.block_check import BlockCheck
from app.services.audit.verifying.head_check import HeadCheck
from app.services.audit.verifying.index_check import IndexCheck
from app.services.audit.verifying.lane_check import LaneCheck
from app.services.audit.verifying.loss_records import LossRecords
from app.services.keys.system_key import SystemKey

_BATCH = 200
_BEFORE_ALL = -(2**63)


@dataclass(eq=False, repr=False)
class AuditVerifier:
    """Verifies the audit trail of a deployment."""

    _database: Database
    _system_key: SystemKey
    _sealer: Sealer

    def verify(self, kept: Sequence[str] = (), listed: int = LISTED) -> AuditFindings:
        """Seal what waits, then verify everything.

        Args:
            kept: Notes of heads that were kept elsewhere.
            listed: The limit on the faults that are listed.

        Raises:
            StorageUnavailable: The database cannot be read.
            KeyProviderError: No provider opens the system data key.
        """
        findings, opened = AuditFindings(listed), self._system_key.opened()
        try:
            self._sealer.seal()
        except DomainError as error:
            findings.fault(f"the newest records could not be sealed: {error.operator_message}")
        heads = _verified_notes(opened, kept, findings)
        with self._database.reading() as repository:
            _Verification(repository, opened, findings).run(heads)
        return findings


class _Verification:
    """One verification, on one connection."""

    def __init__(
        self, repository: Repository, opened: OpenedSystemKey, findings: AuditFindings
    ) -> None:
        self._repository = repository
        self._opened = opened
        self._findings = findings
        self._losses = LossRecords()

    def run(self, kept: Sequence[Checkpoint]) -> None:
        """Verify blocks with their events, then heads, lanes and the index."""
        repository, opened, findings = self._repository, self._opened, self._findings
        start = self._start()
        newest = newest_verified_head(repository, opened)
        size = start.size if newest is None else max(newest.size, start.size)
        findings.size = size
        heads = HeadCheck(repository, opened, findings, GrowingTree(start.size, start.edge), kept)
        seen, is_cut = self._losses.add, start.size > 0
        blocks = BlockCheck(repository, opened, findings, seen, is_cut=is_cut)
        self._walk(blocks, heads, start.size, size)
        heads.end(size)
        LaneCheck(repository, opened, findings, seen, blocks.chains).check()
        IndexCheck(repository, opened, findings, blocks.chains).check()
        self._explain(heads.unmatched)

    def _start(self) -> GrowingTree:
        """Return the tree over what was cut; an empty one if nothing was."""
        cuts = self._repository.audit_log.cuts()
        trees = []
        for stored in cuts:
            cut = self._opened.verify_stored(stored)
            if isinstance(cut, AuditCut):
                trees.append(GrowingTree(cut.leaf, cut.edge))
            else:
                self._findings.fault(f"{cut}: it is not what was written")
        if len(cuts) > 1:
            self._findings.fault("audit_cuts: there is more than one row")
        return max(trees, key=lambda tree: tree.size, default=GrowingTree())

    def _walk(self, blocks: BlockCheck, heads: HeadCheck, start: int, size: int) -> None:
        """Go through all blocks below leaf ``size``; those from ``start`` on were not cut.

        Blocks of one sealing share its time, and its head has the size at which they end.
        """
        leaf, sealed_at_ms = start, None
        for stored in self._blocks(size):
            if isinstance(stored, Guarded):
                if stored.unverified.leaf < start:
                    text = f"leaf {stored.unverified.leaf} was cut, and a block is there"
                    self._findings.fault(f"audit_blocks: {text}")
                    continue
                if stored.unverified.leaf > leaf:
                    self._lack(heads, leaf, stored.unverified.leaf)
                    leaf = stored.unverified.leaf
                if sealed_at_ms not in {None, stored.unverified.sealed_at_ms}:
                    heads.end_sealing(leaf, sealed_at_ms or 0)
                sealed_at_ms = stored.unverified.sealed_at_ms
            blocks.check(leaf, stored)
            leaf += 1
            heads.append(leaf, leaf_of(stored))
        if leaf < size:
            self._lack(heads, leaf, size)
        if sealed_at_ms is not None:
            heads.end_sealing(size, sealed_at_ms)

    def _lack(self, heads: HeadCheck, leaf: int, following: int) -> None:
        self._findings.fault(f"audit_blocks: leaves {leaf} to {following - 1} are gone")
        heads.lose()

    def _blocks(self, size: int) -> Iterator[Stored[AuditBlock]]:
        """Yield the blocks below leaf ``size`` as they are stored; note those without a head."""
        after: Position | None = (_BEFORE_ALL,)
        while after is not None:
            batch = self._repository.audit_log.blocks(after, _BATCH)
            for stored in batch.rows:
                if isinstance(stored, Guarded) and stored.unverified.leaf >= size:
                    self._look_behind(stored.unverified.leaf)
                    return
                yield stored
            after = batch.after

    def _look_behind(self, leaf: int) -> None:
        """Note a block behind the newest head, unless a worker sealed it meanwhile."""
        batch = self._repository.audit_log.blocks((leaf - 1,), _BATCH)
        newest = newest_verified_head(self._repository, self._opened)
        for stored in batch.rows:
            if newest is None or _leaf(stored) >= newest.size:
                self._findings.fault(f"audit_blocks: no head covers leaf {_leaf(stored)}")

    def _explain(self, unmatched: Sequence[Checkpoint]) -> None:
        for head in unmatched:
            text = f"the head of size {head.size} that was kept is not of this log"
            record = self._losses.explain(head)
            if record is None:
                self._findings.fault(text)
            else:
                self._findings.explained.append(f"{text}: explained by {record}")


def _leaf(stored: Stored[AuditBlock]) -> int:
    return stored.unverified.leaf if isinstance(stored, Guarded) else 0


def _verified_notes(
    opened: OpenedSystemKey, notes: Sequence[str], findings: AuditFindings
) -> list[Checkpoint]:
    verified = []
    for number, note in enumerate(notes, 1):
        try:
            verified.append(opened.head_signer.verifier.verify(note))
        except NotACheckpoint:
            findings.fault(f"kept head {number}: it was not signed by this deployment")
    return verified
