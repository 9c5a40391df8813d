"""Records of the audit trail: who did what to what, when, and with which outcome."""

from dataclasses import dataclass
from typing import ClassVar

from app.domain.columns import StoredRow


@dataclass(frozen=True, slots=True)
class AuditEvent(StoredRow):
    """One record; ids and versions, never a name or a value.

    Attributes:
        account_id: The account whose trail it stands in; ``_system`` for the operator's.
        lane: One of the account's counters; two transactions that run at once have two.
        n: Its place in the lane, from 1. A committed one proves that each smaller one committed.
        at_ms: When, in Unix milliseconds, by the clock of the process.
        actor: Who, as ``app.domain.audit.actors`` writes it.
        issuers: The ids of all API keys above the actor's.
        action: The word of an ``app.domain.audit.actions.Action``, or one of a newer version.
        outcome: The word of an ``Outcome``.
        subjects: The ids of what it is about; ``sec_...@3`` is a secret's third version.
        details: A JSON object with more, ``None`` if there is none.
        address: The client's address, if it is known.
        request_id: Of the client, if it sent one.
    """

    table: ClassVar[str] = "audit_events"

    account_id: str
    id: str
    lane: int
    n: int
    at_ms: int
    actor: str
    issuers: tuple[str, ...]
    action: str
    outcome: str
    subjects: tuple[str, ...]
    details: str | None
    address: str | None
    request_id: str | None
