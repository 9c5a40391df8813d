"""Records of the audit trail, made as services make them, and everything that seals them."""

from dataclasses import dataclass
from functools import cached_property

from app.domain.audit.actions import Action, Outcome
from app.domain.audit.actors import SERVER
from app.domain.audit.events import AuditEvent
from app.domain.ids import AUDIT_EVENT, new_id
from app.repository.base import Database, UnitOfWork
from app.services.audit.cutting import AuditCutter
from app.services.audit.exporting import AuditExporter
from app.services.audit.heads import AuditHeads
from app.services.audit.losses import AuditLosses
from app.services.audit.sealing import Sealer
from app.services.audit.trail import AuditTrail
from app.services.audit.verifying.verifier import AuditVerifier
from app.services.audit.witness import Witness
from app.services.container import Services
from app.services.keys.system_key import SystemKey
from app.services.upkeep.retention import DAY_MS
from tests.support.deployment import Clock, Deployment


@dataclass
class Trail:
    """The audit trail as one process of a deployment has it."""

    database: Database
    system_key: SystemKey
    clock: Clock

    @classmethod
    def of(cls, deployment: Deployment, services: Services) -> "Trail":
        return cls(deployment.database, services.setup._system_key, deployment.clock)

    @cached_property
    def trail(self) -> AuditTrail:
        return AuditTrail(self.clock, SERVER, Witness())

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self.database, self.system_key, self.clock, self.trail)

    @cached_property
    def verifier(self) -> AuditVerifier:
        return AuditVerifier(self.database, self.system_key, self.sealer)

    @cached_property
    def heads(self) -> AuditHeads:
        return AuditHeads(self.database, self.system_key, self.sealer, self.clock)

    @cached_property
    def losses(self) -> AuditLosses:
        return AuditLosses(self.database, self.system_key, self.trail)

    @cached_property
    def cutter(self) -> AuditCutter:
        """Cuts what was sealed 400 days ago."""
        kept_ms = 400 * DAY_MS
        return AuditCutter(
            self.database, self.system_key, self.sealer, self.trail, self.clock, kept_ms
        )

    @cached_property
    def exporter(self) -> AuditExporter:
        return AuditExporter(self.database, self.system_key, self.sealer)

    def note(self) -> str:
        """Seal what waits, and return the newest head."""
        newest = self.heads.newest()
        assert newest is not None
        return newest.note

    def record(self, account_id: str, *subjects: str, times: int = 1) -> None:
        """Commit so many records, each in a unit of work of its own."""
        for _ in range(times):
            with self.database.writing() as work:
                self.add(work, account_id, *subjects)
                work.commit()

    def record_at_once(self, account_id: str, *subjects: str, times: int) -> None:
        """Commit so many records in one unit of work."""
        with self.database.writing() as work:
            for _ in range(times):
                self.add(work, account_id, *subjects)
            work.commit()

    def add(self, work: UnitOfWork, account_id: str, *subjects: str) -> None:
        """Add a record to a unit of work."""
        lane, n = work.audit_events.take_place(account_id)
        event = AuditEvent(
            account_id=account_id,
            id=new_id(AUDIT_EVENT),
            lane=lane,
            n=n,
            at_ms=self.clock(),
            actor="key_a",
            issuers=(),
            action=Action.SECRET_UPDATED.value,
            outcome=Outcome.DONE.value,
            subjects=subjects,
            details=None,
            address=None,
            request_id=None,
        )
        work.audit_events.add(self.system_key.opened().guarded_columns(AuditEvent, event.columns()))
