"""Cuts: the ends of the parts of the log that were deleted because of their age."""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.columns import StoredRow


@dataclass(frozen=True, slots=True)
class AuditCut(StoredRow):
    """One cut.

    Attributes:
        leaf: The first leaf that is still there.
        edge: The roots of the perfect subtrees over all leaves before it, so that later roots
            still recompute.
        at_ms: When it was made, in Unix milliseconds.
    """

    table: ClassVar[str] = "audit_cuts"

    leaf: int
    edge: bytes
    at_ms: int
