"""Blocks: a sealed part of an account's records, and one leaf of the deployment's log."""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.columns import StoredRow


@dataclass(frozen=True, slots=True)
class AuditBlock(StoredRow):
    """One block of an account; times are Unix milliseconds.

    Attributes:
        number: Its place among the blocks of the account, from 1.
        leaf: Its place in the log of all accounts, from 0.
        prev: The hash of the account's block before; zeros for the first.
        positions: JSON: the first and the last position of each lane.
        missing: JSON: the positions within whose records were not there.
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
    positions: str
    missing: str
    count: int
    root: bytes
    first_ms: int | None
    last_ms: int | None
    sealed_at_ms: int
