"""The switch that stops all gateway traffic of a deployment, on every node."""

from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.errors import DomainError
from app.domain.gateways.refusals import GatewayStopped
from app.repository.base import Database, Repository, UnitOfWork
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey
from backends.errors import KeyProviderError

GATEWAY = "gateway"
"""The name of the switch."""


@dataclass(eq=False, repr=False)
class GatewaySwitch:
    """Stops and starts the gateways, for an operator."""

    _database: Database
    _system_key: SystemKey
    _clock: Clock
    _trail: AuditTrail

    def stop(self) -> bool:
        """Refuse every admission from now on. Returns False if they were refused already.

        In need it must work at once. So it is recorded only where the system data key opens.
        """
        opened = self._opened()
        with self._database.writing() as work:
            is_changed = work.switches.turn_off(GATEWAY, self._clock())
            self._commit(work, opened, Action.GATEWAY_STOPPED, is_changed=is_changed)
        return is_changed

    def start(self) -> bool:
        """Admit again. Returns False if admissions were not stopped.

        Raises:
            KeyProviderError: The system data key, by which the record is covered, does not open.
        """
        opened = self._system_key.opened()
        with self._database.writing() as work:
            is_changed = work.switches.turn_on(GATEWAY)
            self._commit(work, opened, Action.GATEWAY_STARTED, is_changed=is_changed)
        return is_changed

    def _opened(self) -> OpenedSystemKey | None:
        try:
            return self._system_key.opened()
        except (DomainError, KeyProviderError):
            return None

    def _commit(
        self, work: UnitOfWork, opened: OpenedSystemKey | None, action: Action, *, is_changed: bool
    ) -> None:
        if not is_changed:
            self._trail.commit_unrecorded(work, Unrecorded.NOTHING_CHANGED)
        elif opened is None:
            self._trail.commit_unrecorded(work, Unrecorded.NO_KEY)
        else:
            self._trail.commit(work, opened, action)

    def stopped_since(self) -> int | None:
        """Return when they were stopped, in Unix milliseconds; ``None`` if they are not."""
        with self._database.reading() as repository:
            return repository.switches.off_since(GATEWAY)


def require_started(repository: Repository) -> None:
    """Refuse an admission while the gateways are stopped.

    Raises:
        GatewayStopped: They are.
    """
    if repository.switches.off_since(GATEWAY) is not None:
        raise GatewayStopped
