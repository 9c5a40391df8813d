"""The collections of the audit trail."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from app.domain.audit.events import AuditEvent
from app.domain.audit.filters import EventFilter
from app.domain.guarded import GuardedField
from app.repository.collections.batches import Batch, Position, Stored


class LaneCount(NamedTuple):
    """The number of records in one lane."""

    account_id: str
    lane: int
    n: int


class AuditEventRepository(Protocol):
    """Records, and the lanes in which they are counted."""

    def take_place(self, account_id: str) -> tuple[int, int]:
        """Count one record more in a free lane of the account. Returns the lane and the count.

        The lane is locked until the unit of work ends; if that is undone, so is the counting. So a
        committed count proves that all smaller ones of its lane were committed. Call it last:
        others of the account may wait for the lane.
        """

    def add(self, columns: Mapping[str, GuardedField]) -> None:
        """Add a record at a place that was just taken, by its columns and those of its MAC.

        It is added at the next call or at the commit, which also raises its failure.
        """

    def counts(self, account_id: str) -> list[LaneCount]:
        """Return the counts of all lanes of an account."""

    def all_counts(self, after: Position | None, limit: int) -> list[LaneCount]:
        """Read up to ``limit`` counts of all accounts, those after an account and a lane."""

    def between(
        self, account_id: str, lane: int, after_n: int, until_n: int, limit: int
    ) -> Sequence[Stored[AuditEvent]]:
        """Read up to ``limit`` records of a lane, from ``after_n`` + 1 to ``until_n``, in order."""

    def page(
        self, account_id: str, wanted: EventFilter, after: Position | None, limit: int
    ) -> Batch[AuditEvent]:
        """Read up to ``limit`` records of the account, newest first."""
