"""The end of the log as far as it can be verified, from which it grows."""

import logging
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey, stored_bytes
from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.heads import AuditHead
from app.domain.audit.tree import GrowingTree, hash_leaf
from app.domain.damage import DamagedRow
from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded
from app.repository.base import Repository

_BATCH = 500
_UNKNOWN = bytes(32)

_LOG = logging.getLogger("strongroom.audit")


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The end of the log.

    Attributes:
        tree: The tree over all leaves.
        at_ms: When its newest part was sealed, in Unix milliseconds; 0 if there is none.
        limit: The first leaf behind it that is taken, by a block that somebody moved there.
    """

    tree: GrowingTree
    at_ms: int
    limit: int | None = None


def alert(event: str, detail: str, account_id: str | None = None) -> None:
    """Write a line to the log for which somebody should be woken."""
    _LOG.error(event, extra={"detail": detail, "account_id": account_id})


def verified_tree(opened: OpenedSystemKey, head: AuditHead) -> GrowingTree | None:
    """Return the tree whose root a head states, or ``None`` if a column is not what was signed."""
    try:
        said = opened.head_signer.verifier.verify(head.note)
        tree = GrowingTree(head.size, head.edge)
    except ValueError:
        return None
    is_right = (said.size, said.root, said.at_ms) == (head.size, tree.root, head.at_ms)
    return tree if is_right and head.root == tree.root else None


def leaf_of(stored: Guarded[Guardable] | DamagedRow) -> bytes:
    """Return the hash of a row as it is stored; zeros for one that cannot be parsed."""
    if isinstance(stored, DamagedRow):
        return _UNKNOWN
    try:
        return hash_leaf(stored_bytes(stored))
    except TamperedRow:
        return _UNKNOWN


def newest_verified_head(repository: Repository, opened: OpenedSystemKey) -> AuditHead | None:
    """Return the head of the largest size that is what was signed."""
    head = repository.audit_log.newest_head()
    while head is not None and verified_tree(opened, head) is None:
        alert("audit_damaged", f"the head of size {head.size} is not what was signed")
        head = repository.audit_log.newest_head(head.size)
    return head


def find_end(repository: Repository, opened: OpenedSystemKey) -> LogEnd:
    """Find the end of the log.

    A block behind the newest head has lost its own. It counts, so that the log can grow on.
    """
    head = newest_verified_head(repository, opened)
    tree = None if head is None else verified_tree(opened, head)
    if tree is None:
        tree = _tree_of_cut(repository, opened)
    at_ms = 0 if head is None else head.at_ms
    while True:
        batch = repository.audit_log.blocks((tree.size - 1,), _BATCH)
        for block in batch.rows:
            leaf = block.unverified.leaf if isinstance(block, Guarded) else tree.size
            if leaf != tree.size:
                return LogEnd(tree, at_ms, leaf)
            alert("audit_damaged", f"the block at leaf {leaf} has no head")
            tree.append(leaf_of(block))
            verified = opened.verify_stored(block)
            if isinstance(verified, AuditBlock):
                at_ms = max(at_ms, verified.sealed_at_ms)
        if batch.after is None:
            return LogEnd(tree, at_ms)


def _tree_of_cut(repository: Repository, opened: OpenedSystemKey) -> GrowingTree:
    """Return the tree over the leaves that were cut; an empty one if none was."""
    for stored in repository.audit_log.cuts():
        cut = opened.verify_stored(stored)
        if isinstance(cut, AuditCut):
            return GrowingTree(cut.leaf, cut.edge)
    return GrowingTree()
