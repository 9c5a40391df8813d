"""Heads of the log as they are stored: each is the signed root over the leaves until then."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class AuditHead:
    """One head. It has no MAC: the note is signed, and all other columns follow from it.

    Attributes:
        size: The number of leaves.
        root: The root over them.
        edge: The roots of the perfect subtrees, from which the log grows on.
        at_ms: When it was signed, in Unix milliseconds.
        note: The signed checkpoint.
    """

    table: ClassVar[str] = "audit_heads"

    size: int
    root: bytes
    edge: bytes
    at_ms: int
    note: str
