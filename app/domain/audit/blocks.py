"""Blocks: a sealed part of an account's records, and one leaf of the deployment's log."""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.audit.spans import Spans
from app.domain.columns import StoredRow


@dataclass(frozen=True, slots=True)
class AuditBlock(StoredRow):
    """One block of an account; times are Unix milliseconds.

    Attributes:
        number: Its place among the blocks of the account, from 1.
        leaf: Its place in the log of all accounts, from 0.
        prev: The hash of the account's block before; zeros for the first.
        positions: The part of each lane that the block seals, empty for a lane without new records.
        missing: The parts of these within which no record was found.
        count: The number of records.
        root: The root of the tree over the records.
        first_ms: The earliest time of a record; ``None`` for a block without records.
        last_ms: The latest.
    """

    table: ClassVar[str] = "audit_blocks"

    account_id: str
    number: int
    leaf: int
    prev: bytes
    positions: Spans
    missing: Spans
    count: int
    root: bytes
    first_ms: int | None
    last_ms: int | None
    sealed_at_ms: int


FIRST_PREV = bytes(32)
"""Stands where the first block of an account would name the one before."""
