"""The state of all wrappings: current, stale or orphaned."""

from dataclasses import dataclass

from app.domain.operations.workers import SeenWorker
from app.repository.base import Database
from backends.keyring.keyring import Keyring
from backends.provider import ProviderStatus


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One provider of the keyring.

    Attributes:
        role: ``wraps`` for the first, ``unwraps`` for the others, ``escrow``.
        data_keys_without: The number of data keys without a current wrapping by it; ``None`` where
            it wraps nothing or cannot tell its current key_ref.
    """

    scheme: str
    role: str
    status: ProviderStatus
    data_keys_without: int | None


@dataclass(frozen=True, slots=True)
class KeyRefLine:
    """All wrappings by one key_ref; a retired one has none, and its fence stands.

    Attributes:
        key_ref: Or the name of a root key, all of whose versions are fenced.
        state: ``current``, ``stale``, ``orphaned`` (no listed provider owns it) or ``fenced``.
    """

    key_ref: str
    wrappings: int
    state: str


@dataclass(frozen=True, slots=True)
class KeyringReport:
    """The report of ``strongroom keyring status``."""

    data_keys: int
    providers: list[ProviderLine]
    key_refs: list[KeyRefLine]
    unreadable_data_keys: int
    workers: list[SeenWorker]


class KeyringStatus:
    """Counts wrappings by what could open them."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    def report(self) -> KeyringReport:
        """Ask every provider how it is, and count."""
        self._keyring.statuses()  # until asked, a provider by an alias cannot tell what it owns
        with self._database.reading() as repository:
            counts = repository.wrappings.counts()
            fenced = repository.wrappings.fences()
            owned = [ref for ref in counts if self._keyring.owns(ref)]
            return KeyringReport(
                data_keys=repository.data_keys.count(),
                providers=[
                    self._line(each.role, each.provider.scheme, each.provider.status())
                    for each in self._keyring.listed
                ],
                key_refs=[
                    KeyRefLine(ref, counts.get(ref, 0), self._state(ref, fenced))
                    for ref in sorted({*counts, *fenced})
                ],
                unreadable_data_keys=repository.data_keys.count_without(owned),
                workers=repository.workers.all(),
            )

    def _line(self, role: str, scheme: str, status: ProviderStatus) -> ProviderLine:
        without = None
        if role != "unwraps" and status.key_ref is not None:
            with self._database.reading() as repository:
                without = repository.data_keys.count_without([status.key_ref])
        return ProviderLine(scheme, role, status, without)

    def _state(self, key_ref: str, fenced: list[str]) -> str:
        if key_ref in fenced or self._keyring.root_of(key_ref) in fenced:
            return "fenced"
        if key_ref in {target.status().key_ref for target in self._keyring.targets}:
            return "current"
        return "stale" if self._keyring.owns(key_ref) else "orphaned"
