"""Numbers about this process and the deployment, for whoever watches them; none names a secret."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.crypto.data_key_cache import DataKeyCache
from app.domain.operations.measurements import ConnectionUse, DatabaseSize, DataKeyCounts
from app.repository.base import Database
from app.services.clock import Clock
from app.services.upkeep.audit_log import AuditLogUpkeep
from backends.keyring.keyring import Keyring, ListedProvider

ProviderCallWatcher = Callable[[ListedProvider, str, float, str], object]
"""Is given each call of a provider that ended: operation, seconds, and ``ok`` or the error."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """The state of one process.

    Attributes:
        refusing: Whether each provider of the keyring is asked for nothing but trials.
        waiting_events: The records that this process does not know to be sealed; ``None`` before
            it looked.
    """

    cached_data_keys: int
    cache_hits: int
    cache_misses: int
    connections: ConnectionUse
    refusing: tuple[tuple[ListedProvider, bool], ...]
    waiting_events: int | None


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """The state of the database that all processes share.

    Attributes:
        stale_data_keys: Those without a current wrapping by each provider that wraps; ``None``
            while such a provider has not stated its key_ref.
        oldest_active_s: The age of the oldest active data key, in seconds.
        audit_log_size: The number of leaves under the newest head of the audit log. It is not
            verified: who watches the number compares it with what it was.
        audit_head_age_s: The age of that head, in seconds; infinite before the first one.
    """

    size: DatabaseSize
    data_keys: DataKeyCounts
    stale_data_keys: int | None
    oldest_active_s: float | None
    audit_log_size: int
    audit_head_age_s: float


@dataclass(eq=False, repr=False)
class Measurements:
    """Measures; every call is bounded as a request is."""

    _database: Database
    _keyring: Keyring
    _cache: DataKeyCache
    _clock: Clock
    _audit_log: AuditLogUpkeep

    def watch_provider_calls(self, watcher: ProviderCallWatcher) -> None:
        """Let ``watcher`` be given each call of a key provider from now on."""
        for listed in self._keyring.listed:
            listed.provider.watcher = _watching(watcher, listed)

    def process(self) -> ProcessState:
        """Measure this process."""
        return ProcessState(
            cached_data_keys=len(self._cache),
            cache_hits=self._cache.hits,
            cache_misses=self._cache.misses,
            connections=self._database.connections(),
            refusing=tuple((each, each.provider.is_refusing) for each in self._keyring.listed),
            waiting_events=self._audit_log.waiting,
        )

    def deployment(self) -> DeploymentState:
        """Measure the database. It reads the rows of all data keys and wrappings.

        Raises:
            StorageUnavailable: The database does not answer.
        """
        refs = list(self._current_refs())
        with self._database.reading() as repository:
            counts = repository.data_keys.counts()
            stale = None if None in refs else repository.data_keys.count_incomplete(_texts(refs))
            head = repository.audit_log.newest_head()
        oldest_ms = counts.oldest_active_ms
        return DeploymentState(
            size=self._database.size(),
            data_keys=counts,
            stale_data_keys=stale,
            oldest_active_s=None if oldest_ms is None else self._age_s(oldest_ms),
            audit_log_size=0 if head is None else head.size,
            audit_head_age_s=math.inf if head is None else self._age_s(head.at_ms),
        )

    def _age_s(self, at_ms: int) -> float:
        return (self._clock() - at_ms) / 1000

    def _current_refs(self) -> Iterator[str | None]:
        for target in self._keyring.targets:
            yield target.status().key_ref


def _texts(refs: list[str | None]) -> list[str]:
    return [ref for ref in refs if ref is not None]


def _watching(
    watcher: ProviderCallWatcher, listed: ListedProvider
) -> Callable[[str, float, str], object]:
    return lambda operation, seconds, outcome: watcher(listed, operation, seconds, outcome)
