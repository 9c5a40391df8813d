"""Compares the roots of the log, as it grows leaf by leaf, with all heads that say them."""

from collections.abc import Iterable, Iterator

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.checkpoints import Checkpoint
from app.domain.audit.findings import AuditFindings
from app.domain.audit.heads import AuditHead
from app.domain.audit.tree import GrowingTree
from app.repository.base import Repository
from app.services.audit.log_end import verified_tree

_BATCH = 500
_BEFORE_ALL = -(2**63)


class HeadCheck:
    """The log as it grows, beside the heads that are stored and those that were kept elsewhere.

    Args:
        tree: The tree to begin with: what was cut.
        kept: Heads that were kept elsewhere, with right signatures.

    Attributes:
        unmatched: Heads that were kept elsewhere and are not of this log.
    """

    def __init__(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        findings: AuditFindings,
        tree: GrowingTree,
        kept: Iterable[Checkpoint],
    ) -> None:
        self._opened = opened
        self._findings = findings
        self._tree: GrowingTree | None = tree
        self._stored = _stored(repository)
        self._next = next(self._stored, None)
        self._skip_until(tree.size)
        self._kept = sorted(kept, key=lambda head: head.size)
        self.unmatched: list[Checkpoint] = []
        while self._kept and self._kept[0].size < tree.size:
            early = self._kept.pop(0)
            self._findings.unchecked.append(
                f"the head of size {early.size}: its records were cut because of their age"
            )
        self._compare_kept(tree.size)

    def append(self, size: int, leaf: bytes) -> None:
        """Append a leaf, after which the log has this size."""
        if self._tree is not None:
            self._tree.append(leaf)
        self._compare_kept(size)

    def lose(self) -> None:
        """Note that leaves are unknown: roots are known again from the next stored head on."""
        self._tree = None

    def end_sealing(self, size: int, at_ms: int) -> None:
        """Compare the stored head of a sealing that ended at this size."""
        self._skip_until(size - 1)
        head = self._next
        if head is None or head.size != size:
            self._findings.fault(f"audit_heads: the head of size {size} is gone")
            return
        self._findings.heads += 1
        self._next = next(self._stored, None)
        said = verified_tree(self._opened, head)
        if said is None or head.at_ms != at_ms:
            self._findings.fault(f"audit_heads: the head of size {size} is not what was signed")
        elif self._tree is not None and self._tree.edge != said.edge:
            self._findings.fault(f"audit_heads: the log of size {size} is not what its head says")
            self._tree = said
        elif self._tree is None:
            self._tree = said

    def end(self, size: int) -> None:
        """Note the heads that no leaf led to."""
        self.unmatched += self._kept
        self._skip_until(size)
        while self._next is not None:  # a worker may have sealed meanwhile
            if verified_tree(self._opened, self._next) is None:
                text = f"the head of size {self._next.size} is not what was signed"
                self._findings.fault(f"audit_heads: {text}")
            self._next = next(self._stored, None)

    def _skip_until(self, size: int) -> None:
        """Note the stored heads up to this size, which no sealing made."""
        while self._next is not None and self._next.size <= size:
            self._findings.fault(f"audit_heads: no sealing made the head of size {self._next.size}")
            self._next = next(self._stored, None)

    def _compare_kept(self, size: int) -> None:
        while self._kept and self._kept[0].size <= size:
            head = self._kept.pop(0)
            if head.size < size or self._tree is None or head.root != self._tree.root:
                self.unmatched.append(head)
            else:
                self._findings.heads += 1


def _stored(repository: Repository) -> Iterator[AuditHead]:
    after = _BEFORE_ALL
    while heads := repository.audit_log.heads(after, _BATCH):
        yield from heads
        after = heads[-1].size
