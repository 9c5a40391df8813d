"""The audit trail: every unit of work that changes or uses something ends here.

A record is written in the transaction of what it records, last before its commit. So none is
without its record, and there is no record of what was undone. The place of a record, a lane and a
count in it, is taken in the same transaction. So a gap in a lane is always a deletion.

A unit of work is committed here and nowhere else: with a record, or with the reason why it needs
none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action, Outcome
from app.domain.audit.actors import Actor
from app.domain.audit.events import AuditEvent
from app.domain.guarded import GuardedField
from app.domain.ids import AUDIT_EVENT, new_id
from app.repository.base import UnitOfWork
from app.services.audit.witness import Witness
from app.services.clock import Clock

Details = Mapping[str, object]
NO_DETAILS: Details = {}

_NAME_BYTES = 16
# Not orjson: the help of every command would load it.
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Unrecorded(StrEnum):
    """The units of work that need no record, with the reason."""

    HEARTBEAT = "says that a worker lives, every 20 seconds; it grants nothing"
    LEASE = "says which process sweeps"
    COUNTS = "counts what accounts hold; a wrong count grants no value"
    END_OF_USE = "completes the row of a gateway use, whose admission was recorded"
    NOTHING_CHANGED = "stores at most the response to a request that changed nothing"
    CUTTING = "deletes what a record says that was sealed before"
    SEALING = "adds blocks and a signed head, which are evidence themselves"
    NO_KEY = "stops the gateways while no provider opens the key by which records are covered"


class Entry(NamedTuple):
    """The part of a record that its caller states; see ``AuditTrail.commit``."""

    action: Action
    subjects: tuple[str, ...] = ()
    by: Actor | None = None
    outcome: Outcome = Outcome.DONE
    details: Details = NO_DETAILS


@dataclass(eq=False, repr=False)
class AuditTrail:
    """Records what this process does, and commits it.

    Attributes:
        own: The actor of what nobody asked for by a request: the operator of a command, or the
            server.
        witness: Remembers what was committed.
    """

    _clock: Clock
    own: Actor
    witness: Witness

    def commit(
        self,
        work: UnitOfWork,
        opened: OpenedSystemKey,
        action: Action,
        *subjects: str,
        account_id: str = SYSTEM_ACCOUNT_ID,
        by: Actor | None = None,
        outcome: Outcome = Outcome.DONE,
        details: Details = NO_DETAILS,
        at_ms: int | None = None,
    ) -> None:
        """Record what a unit of work does, and commit both.

        Args:
            opened: The system data key, opened before the unit of work began.
            subjects: The ids of what it is about, a secret's with its version.
            account_id: The account in whose trail the record stands.
            by: Who does it; the process itself if ``None``.
            details: More about it, to be stored as JSON; no name and no value.
            at_ms: The time, where the caller has just read it, in Unix milliseconds.
        """
        lane, n = self._add(work, opened, account_id, at_ms, action, subjects, by, outcome, details)
        work.commit()
        self.witness.note(account_id, lane, n)

    def commit_all(
        self, work: UnitOfWork, opened: OpenedSystemKey, entries: Sequence[Entry]
    ) -> None:
        """Record several things that were found, in the operator's trail, and commit them."""
        places = [self._add(work, opened, SYSTEM_ACCOUNT_ID, None, *each) for each in entries]
        work.commit()
        for lane, n in places:
            self.witness.note(SYSTEM_ACCOUNT_ID, lane, n)

    def commit_unrecorded(self, work: UnitOfWork, _: Unrecorded) -> None:
        """Commit a unit of work that needs no record."""
        work.commit()

    def _add(
        self,
        work: UnitOfWork,
        opened: OpenedSystemKey,
        account_id: str,
        at_ms: int | None,
        action: Action,
        subjects: tuple[str, ...],
        by: Actor | None,
        outcome: Outcome,
        details: Details,
    ) -> tuple[int, int]:
        """Add a record at the next place. Returns the lane and the place in it."""
        lane, n = work.audit_events.take_place(account_id)
        if n <= self.witness.committed.get((account_id, lane), 0):
            self.witness.accuse(account_id, lane, n - 1)
        who = by or self.own
        # The columns of an AuditEvent in their order, which its MAC covers.
        columns: Mapping[str, GuardedField] = {
            "account_id": account_id,
            "id": new_id(AUDIT_EVENT),
            "lane": lane,
            "n": n,
            "at_ms": self._clock() if at_ms is None else at_ms,
            "actor": who.actor,
            "issuers": " ".join(who.issuers),
            "action": action.value,
            "outcome": outcome.value,
            "subjects": " ".join(subjects),
            "details": _as_json(details) if details else None,
            "address": who.address,
            "request_id": who.request_id,
        }
        work.audit_events.add(opened.guarded_columns(AuditEvent, columns))
        return lane, n


def versioned(secret_id: str, version: int) -> str:
    """Return the subject that names one version of a secret."""
    return f"{secret_id}@{version}"


def name_hash(opened: OpenedSystemKey, account_id: str, name: str) -> str:
    """Return the keyed hash of a name, in hexadecimal: whoever knows the name can look for it."""
    digest = opened.digest(Purpose.AUDIT_NAME, f"{account_id} {name}".encode())
    return digest[:_NAME_BYTES].hex()


def with_name(opened: OpenedSystemKey, account_id: str, name: str) -> Details:
    """Return the details of what has a name."""
    return {"name_hash": name_hash(opened, account_id, name)}
