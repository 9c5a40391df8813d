"""The work of a worker for the audit trail, each minute: findings, refusals, settings."""

import logging
from collections import Counter
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action, Outcome
from app.domain.audit.actors import NamedActor
from app.domain.errors import DomainError
from app.repository.base import Database
from app.services.audit.refusals import Refusal, Refusals
from app.services.audit.started_settings import StartedSettings
from app.services.audit.trail import AuditTrail, Entry
from app.services.audit.witness import RolledBack
from app.services.keys.system_key import SystemKey

MINUTE_S = 60.0

_AT_ONCE = 100  # records of findings in one transaction

_LOG = logging.getLogger("strongroom.audit")


@dataclass(eq=False, repr=False)
class AuditUpkeep:
    """The trail's periodic work in one worker.

    Attributes:
        trail: Of this process.
        refusals: The refused requests since the last run.
    """

    _database: Database
    _system_key: SystemKey
    trail: AuditTrail
    refusals: Refusals
    _settings: StartedSettings

    def run(self) -> None:
        """Compare what the worker committed with the database, and record what waits for it.

        A process that has not opened the system data key yet has recorded nothing, and does nothing
        here: a provider that is down is not asked once more for this.

        Raises:
            DomainError: Something could not be recorded; it is tried again with the next run.
        """
        if not self._system_key.is_open:
            return
        opened = self._system_key.opened()
        self.trail.witness.compare(self._database)
        self._record_found(opened)
        self._record_refusals(opened)
        self._settings.record(opened)

    def end(self) -> None:
        """Record the refusals since the last run: this worker ends."""
        if self._system_key.is_open:
            try:
                self._record_refusals(self._system_key.opened())
            except DomainError as error:
                _LOG.error("refusals_lost", extra={"detail": error.operator_message})

    def _record_found(self, opened: OpenedSystemKey) -> None:
        witness = self.trail.witness
        while found := witness.take_found(_AT_ONCE):
            try:
                with self._database.writing() as work:
                    self.trail.commit_all(work, opened, [_finding(each) for each in found])
            except DomainError:
                witness.put_back(found)
                raise

    def _record_refusals(self, opened: OpenedSystemKey) -> None:
        counts = self.refusals.take()
        if not counts:
            return
        try:
            with self._database.writing() as work:
                self.trail.commit_all(work, opened, _entries(counts))
        except DomainError:
            self.refusals.put_back(counts)
            raise


def _finding(found: RolledBack) -> Entry:
    details = {"lane": found.lane, "committed": found.committed, "found": found.found}
    return Entry(Action.AUDIT_ROLLED_BACK, (found.account_id,), details=details)


def _entries(counts: Counter[Refusal]) -> list[Entry]:
    return [
        Entry(
            Action.REFUSED,
            by=NamedActor("unknown", address=refusal.block),
            outcome=Outcome.REFUSED,
            details={"action": refusal.action, "cause": refusal.cause, "count": count},
        )
        for refusal, count in sorted(counts.items(), key=str)
    ]
