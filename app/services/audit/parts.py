"""All services of the audit log, built together."""

from dataclasses import dataclass

from app.repository.base import Database
from app.services.audit.cutting import AuditCutter
from app.services.audit.event_list import AuditEventList
from app.services.audit.exporting import AuditExporter
from app.services.audit.heads import AuditHeads
from app.services.audit.losses import AuditLosses
from app.services.audit.refusals import Refusals
from app.services.audit.sealing import Sealer
from app.services.audit.started_settings import StartedSettings
from app.services.audit.trail import AuditTrail
from app.services.audit.upkeep import AuditUpkeep
from app.services.audit.verifying.verifier import AuditVerifier
from app.services.clock import Clock
from app.services.keys.history import KeyringHistory
from app.services.keys.system_key import SystemKey


@dataclass(frozen=True, slots=True)
class AuditServices:
    """The services that read and seal the records of the audit trail."""

    sealer: Sealer
    heads: AuditHeads
    verifier: AuditVerifier
    exporter: AuditExporter
    losses: AuditLosses
    cutter: AuditCutter
    events: AuditEventList
    keyring_history: KeyringHistory
    upkeep: AuditUpkeep


def audit_services(
    database: Database,
    system_key: SystemKey,
    clock: Clock,
    trail: AuditTrail,
    retention_ms: int,
    started: StartedSettings,
) -> AuditServices:
    """Build them.

    Args:
        retention_ms: How long sealed records stay, in milliseconds.
        started: The settings of this process.
    """
    events = AuditEventList(database, system_key)
    sealer = Sealer(database, system_key, clock, trail)
    return AuditServices(
        sealer=sealer,
        heads=AuditHeads(database, system_key, sealer, clock),
        verifier=AuditVerifier(database, system_key, sealer),
        exporter=AuditExporter(database, system_key, sealer),
        losses=AuditLosses(database, system_key, trail),
        cutter=AuditCutter(database, system_key, sealer, trail, clock, retention_ms),
        events=events,
        keyring_history=KeyringHistory(events),
        upkeep=AuditUpkeep(database, system_key, trail, Refusals(), started),
    )
