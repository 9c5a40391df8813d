"""The readiness of this process: the database responds, and keys can be opened."""

from dataclasses import dataclass

from app.domain.errors import DomainError
from app.repository.base import Database
from app.services.keys.system_key import SystemKey
from app.services.upkeep.heartbeats import Heartbeats


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """The dependencies that respond now."""

    database: bool
    provider: bool

    @property
    def ready(self) -> bool:
        """Return True if all of them do."""
        return self.database and self.provider


class Readiness:
    """Asks the dependencies of the server."""

    def __init__(self, database: Database, system_key: SystemKey, heartbeats: Heartbeats) -> None:
        self._database = database
        self._heartbeats = heartbeats
        self._system_key = system_key

    def report(self) -> ReadinessReport:
        """Ask the database, the last heartbeat, and if the root key still opens the system key."""
        return ReadinessReport(
            database=self._database_answers(), provider=self._system_key.is_proved()
        )

    def _database_answers(self) -> bool:
        if self._heartbeats.is_closed:
            return False
        try:
            self._database.ping()
        except DomainError:
            return False
        return self._heartbeats.are_well
