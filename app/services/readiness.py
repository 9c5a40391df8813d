"""Whether this process can serve: the database answers, and keys can be opened."""

from dataclasses import dataclass

from app.domain.errors import DomainError
from app.repository.base import Database
from app.services.system_key import SystemKey
from backends.errors import KeyProviderError
from backends.keyring import Keyring


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """What answers now."""

    database: bool
    provider: bool

    @property
    def ready(self) -> bool:
        """Whether all of it does."""
        return self.database and self.provider


class Readiness:
    """Asks what the server depends on."""

    def __init__(self, database: Database, keyring: Keyring, system_key: SystemKey) -> None:
        self._database = database
        self._keyring = keyring
        self._system_key = system_key

    def report(self) -> ReadinessReport:
        """Ask the database, and whether a provider could unwrap."""
        return ReadinessReport(database=self._database_answers(), provider=self._keys_open())

    def _database_answers(self) -> bool:
        try:
            self._database.ping()
        except DomainError:
            return False
        return True

    def _keys_open(self) -> bool:
        try:
            self._system_key.opened()
        except (DomainError, KeyProviderError):
            return False
        return self._keyring.can_unwrap()
