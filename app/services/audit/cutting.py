"""Cuts: the oldest part of the log is deleted once its retention is over.

A cut is a prefix of the log that ends at a head. In order, and each step durable before the next:

    1. every account that has only blocks before the cut gets one behind it, with its positions
    2. a record says where the cut is, and is sealed
    3. the row of the cut stores the edge there, so that later roots still recompute
    4. events, entries of the index, blocks and heads before it are deleted in small transactions

A cut that is killed leaves rows of step 4, which the next cut deletes first.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.heads import AuditHead
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from app.repository.base import Database, Repository, UnitOfWork
from app.repository.collections.batches import Stored
from app.services.audit.block_builder import subjects_of
from app.services.audit.log_end import alert, verified_tree
from app.services.audit.sealing import Sealer
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey

_BLOCKS = 20  # in one transaction
_HEADS = 500
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True, slots=True)
class Cut:
    """The result of a cut.

    Attributes:
        leaf: The first leaf that is still there.
        blocks: The number of blocks that were deleted.
    """

    leaf: int
    blocks: int


@dataclass(eq=False, repr=False)
class AuditCutter:
    """Deletes the part of the log whose retention is over. It runs as the operator.

    Args:
        retention_ms: How long sealed records stay, in milliseconds.
    """

    _database: Database
    _system_key: SystemKey
    _sealer: Sealer
    _trail: AuditTrail
    _clock: Clock
    _retention_ms: int

    def count(self) -> Cut:
        """Return where a cut would be now, and the number of blocks before it."""
        with self._database.reading() as repository:
            present = self._present(repository, self._system_key.opened())
            head = self._end(repository, present)
        leaf = present if head is None else head.size
        return Cut(leaf, leaf - present)

    def cut(self) -> Cut:
        """Finish a cut that was stopped, then cut what is old enough.

        Raises:
            StorageUnavailable: The database is busy or down; the next cut goes on.
            TamperedRow: The head at which it would end is not what was signed.
        """
        opened = self._system_key.opened()
        with self._database.reading() as repository:
            present = self._present(repository, opened)
        blocks = self._delete_before(present)
        with self._database.reading() as repository:
            head = self._end(repository, present)
        tree = None if head is None else verified_tree(opened, head)
        if head is None:
            return Cut(present, blocks)
        if tree is None:
            raise TamperedRow(AuditHead.table)
        self._sealer.seal(carry_below=head.size)
        details = {"leaf": head.size, "root": head.root.hex()}
        with self._database.writing() as work:
            self._trail.commit(work, opened, Action.AUDIT_CUT, details=details)
        self._sealer.seal()
        with self._database.writing() as work:
            cut = AuditCut(head.size, tree.edge, self._clock())
            work.audit_log.replace_cut(opened.guard(cut))
            self._trail.commit_unrecorded(work, Unrecorded.CUTTING)
        return Cut(head.size, blocks + self._delete_before(head.size))

    def _present(self, repository: Repository, opened: OpenedSystemKey) -> int:
        """Return the leaf of the newest cut; 0 if there is none."""
        cuts = map(opened.verify_stored, repository.audit_log.cuts())
        return max((cut.leaf for cut in cuts if isinstance(cut, AuditCut)), default=0)

    def _end(self, repository: Repository, present: int) -> AuditHead | None:
        """Return the newest head whose records are all old enough; ``None`` for no new cut."""
        head = repository.audit_log.newest_head_until(self._clock() - self._retention_ms)
        return None if head is None or head.size <= present else head

    def _delete_before(self, leaf: int) -> int:
        """Delete all that stands before a leaf. Returns the number of blocks."""
        deleted = 0
        while True:
            with self._database.reading() as repository:
                batch = repository.audit_log.blocks((_BEFORE_ALL,), _BLOCKS)
                old = list(_before(batch.rows, leaf))
                subjects = [_subjects(repository, each) for each in old]
            if not old:
                break
            with self._database.writing() as work:
                for block, about in zip(old, subjects, strict=True):
                    _delete(work, block, about)
                self._trail.commit_unrecorded(work, Unrecorded.CUTTING)
            deleted += len(old)
        while self._delete_heads(leaf):
            pass
        return deleted

    def _delete_heads(self, leaf: int) -> int:
        with self._database.writing() as work:
            deleted = work.audit_log.delete_heads(leaf, _HEADS)
            self._trail.commit_unrecorded(work, Unrecorded.CUTTING)
        return deleted


def _before(rows: Iterable[Stored[AuditBlock]], leaf: int) -> Iterator[Guarded[AuditBlock]]:
    for stored in rows:
        if not isinstance(stored, Guarded):
            alert("audit_damaged", f"{stored} is not what was sealed, and stays")
        elif stored.unverified.leaf < leaf:
            yield stored


def _subjects(repository: Repository, stored: Guarded[AuditBlock]) -> Sequence[str]:
    """Return what the events of a block are about, by which the index finds it."""
    block, found = stored.unverified, set[str]()
    for span in block.positions:
        events = repository.audit_events.between(
            block.account_id, span.lane, span.first - 1, span.last, span.last - span.first + 1
        )
        for each in events:
            if isinstance(each, Guarded):
                found |= subjects_of(each.unverified)
    return sorted(found)


def _delete(work: UnitOfWork, stored: Guarded[AuditBlock], subjects: Sequence[str]) -> None:
    block = stored.unverified
    for span in block.positions:
        work.audit_log.delete_events(block.account_id, span)
    work.audit_log.delete_entries(block.account_id, block.number, subjects)
    work.audit_log.delete_block(block.account_id, block.number)
