"""The switch that stops all gateway traffic of a deployment, on every node."""

from dataclasses import dataclass

from app.domain.gateways.refusals import GatewayStopped
from app.repository.base import Database, Repository
from app.services.clock import Clock

GATEWAY = "gateway"
"""The name of the switch."""


@dataclass(eq=False, repr=False)
class GatewaySwitch:
    """Stops and starts the gateways, for an operator."""

    _database: Database
    _clock: Clock

    def stop(self) -> bool:
        """Refuse every admission from now on. Returns False if they were refused already."""
        with self._database.writing() as work:
            is_changed = work.switches.turn_off(GATEWAY, self._clock())
            work.commit()
        return is_changed

    def start(self) -> bool:
        """Admit again. Returns False if admissions were not stopped."""
        with self._database.writing() as work:
            is_changed = work.switches.turn_on(GATEWAY)
            work.commit()
        return is_changed

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
