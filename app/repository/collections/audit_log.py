"""The collection of what proves the audit trail: blocks, heads, cuts, the index of subjects.

The sealer and the verifier read it, and believe no row before they have verified it.
"""

from collections.abc import Sequence
from typing import Protocol

from app.domain.audit.blocks import AuditBlock
from app.domain.audit.cuts import AuditCut
from app.domain.audit.heads import AuditHead
from app.domain.audit.spans import Span
from app.domain.guarded import Guarded
from app.repository.collections.batches import Batch, Position, Stored


class AuditLogRepository(Protocol):
    """Blocks, heads, cuts, the index of subjects, and what spans events as a whole."""

    def count_events(self) -> int:
        """Return the sum of all lanes' counters."""

    def totals(self, after_account_id: str | None, limit: int) -> list[tuple[str, int]]:
        """Return up to ``limit`` accounts, by id, each with the sum of its lanes' counters."""

    def next_lane(self, after: tuple[str, int] | None) -> tuple[str, Span] | None:
        """Return the account and lane after this one, with its first and last stored position."""

    def newest_number(self, account_id: str, below: int | None) -> int | None:
        """Return the largest number of the account's blocks, or the largest below ``below``."""

    def block(self, account_id: str, number: int) -> Stored[AuditBlock] | None:
        """Return one block, or ``None``."""

    def blocks(self, after: Position | None, limit: int) -> Batch[AuditBlock]:
        """Read up to ``limit`` blocks of all accounts, by leaf."""

    def add_block(self, block: Guarded[AuditBlock]) -> None:
        """Add a block.

        Raises:
            Conflict: There is one of this number or leaf.
        """

    def newest_head(self, below_size: int | None = None) -> AuditHead | None:
        """Return the head of the largest size, or of the largest below ``below_size``."""

    def newest_head_until(self, at_ms: int) -> AuditHead | None:
        """Return the head of the largest size of those that were signed at this time or before."""

    def head(self, size: int) -> AuditHead | None:
        """Return the head of this size."""

    def heads(self, after_size: int, limit: int) -> Sequence[AuditHead]:
        """Read up to ``limit`` heads above a size, by size."""

    def add_head(self, head: AuditHead) -> None:
        """Add a head.

        Raises:
            Conflict: There is one of this size.
        """

    def index(self, account_id: str, number: int, subjects: Sequence[str]) -> None:
        """Add a block to the index, under each of its subjects."""

    def count_indexed(self, account_id: str, number: int, subjects: Sequence[str]) -> int:
        """Count those of these subjects under which the index has the block."""

    def indexed(self, after: Position | None, limit: int) -> list[tuple[str, str, int]]:
        """Read up to ``limit`` entries of the index: account, subject and number of the block."""

    def cuts(self) -> Sequence[Stored[AuditCut]]:
        """Read the cuts; there is one at most, unless somebody wrote the table."""

    def replace_cut(self, cut: Guarded[AuditCut]) -> None:
        """Add a cut in place of the one before."""

    def delete_events(self, account_id: str, span: Span) -> None:
        """Delete the events of a part of a lane."""

    def delete_entries(self, account_id: str, number: int, subjects: Sequence[str]) -> None:
        """Take a block out of the index under each of these subjects."""

    def delete_block(self, account_id: str, number: int) -> None:
        """Delete a block."""

    def delete_heads(self, until_size: int, limit: int) -> int:
        """Delete up to ``limit`` heads of at most this size. Returns the number deleted."""
