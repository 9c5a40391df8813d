"""What is wrong with a deployment before it starts: all faults at once, none with a value in it."""

from app.domain.errors import DomainError
from app.repository.base import Database
from app.services.system_key import SystemKey
from backends.errors import KeyProviderError
from backends.keyring import Keyring


class Checkup:
    """Looks at the database and the keyring as ``strongroom check`` does."""

    def __init__(self, database: Database, keyring: Keyring, system_key: SystemKey) -> None:
        self._database = database
        self._keyring = keyring
        self._system_key = system_key

    def faults(self) -> list[str]:
        """One sentence a fault; empty when the server may start."""
        faults = self._database.check()
        if faults:
            return faults + self._provider_faults()
        return [*self._provider_faults(), *self._system_key_faults(), *self._orphan_faults()]

    def _provider_faults(self) -> list[str]:
        if self._keyring.can_unwrap() and self._keyring.can_wrap():
            return []
        return [status.detail for status in self._keyring.statuses() if not status.healthy]

    def _system_key_faults(self) -> list[str]:
        try:
            self._system_key.opened()
        except (DomainError, KeyProviderError) as error:
            return [f"STRONGROOM_KEYS: the system data key does not open: {error}"]
        return []

    def _orphan_faults(self) -> list[str]:
        with self._database.reading() as repository:
            refs = [ref for ref in repository.wrappings.counts() if self._keyring.owns(ref)]
            orphans = repository.data_keys.count_without(refs)
        if not orphans:
            return []
        return [f"STRONGROOM_KEYS: no listed provider could open {orphans} data keys."]
