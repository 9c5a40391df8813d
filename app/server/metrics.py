"""The metrics of a worker: what it counts, and what it measures when Prometheus asks.

Each worker counts events as they happen, and every few seconds publishes its own state. The state
of the database is measured when it is asked for, by whichever worker answers, and kept for a while:
its data keys are counted, and a scrape each second must not cost what a sweep does.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.api.http.context import NotConnected
from app.domain.errors import DomainError
from app.observability.logs import dropped_lines
from app.observability.metrics import meters
from app.services.container import Services
from app.services.measurements import DeploymentState, Measurements, ProcessState
from backends.keyring.keyring import ListedProvider

PUBLISH_SECONDS = 5.0
"""The interval at which a worker publishes its own state."""

KEPT_SECONDS = 30.0
"""The time for which the state of the database is kept."""


class ProcessMetrics:
    """Publishes the state of this process."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements
        self._hits = self._misses = self._dropped = 0
        measurements.watch_provider_calls(_count_call)

    def publish(self) -> None:
        """Publish the state as it is now."""
        state = self._measurements.process()
        meters.WORKERS.set(1)
        meters.CACHED_DATA_KEYS.set(state.cached_data_keys)
        meters.CONNECTIONS.labels("in_use").set(state.connections.in_use)
        if state.connections.limit is not None:
            meters.CONNECTIONS.labels("limit").set(state.connections.limit)
        for listed, is_refusing in state.refusing:
            meters.PROVIDER_REFUSES.labels(*_names(listed)).set(int(is_refusing))
        if state.waiting_events is not None:
            meters.WAITING_EVENTS.set(state.waiting_events)
        self._count(state)

    def _count(self, state: ProcessState) -> None:
        """Add what was counted elsewhere since the last time."""
        meters.CACHE_LOOKUPS.labels("hit").inc(state.cache_hits - self._hits)
        meters.CACHE_LOOKUPS.labels("miss").inc(state.cache_misses - self._misses)
        self._hits, self._misses = state.cache_hits, state.cache_misses
        dropped = dropped_lines()
        meters.DROPPED_LINES.inc(dropped - self._dropped)
        self._dropped = dropped


class DeploymentMetrics(Collector):
    """Measures the database when it is asked, unless it has just been measured.

    Args:
        services: Returns the services, or raises ``NotConnected``.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._state: DeploymentState | None = None
        self._until = 0.0

    def collect(self) -> Iterable[Metric]:
        """Return the metrics; without those of the database while it does not answer."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._state = self._measure()
                self._until = time.monotonic() + KEPT_SECONDS
            state = self._state
        yield _gauge(
            "strongroom_database_up", "1 if the database answered.", int(state is not None)
        )
        if state is not None:
            yield from _metrics_of(state)

    def _measure(self) -> DeploymentState | None:
        try:
            return self._services().measurements.deployment()
        except (NotConnected, DomainError):
            return None


def _metrics_of(state: DeploymentState) -> Iterator[Metric]:
    size = state.size
    yield _gauge("strongroom_database_bytes", "Size of the database.", size.database)
    if size.log is not None:
        yield _gauge("strongroom_database_log_bytes", "Size of the write-ahead log.", size.log)
    if size.free is not None:
        yield _gauge("strongroom_disk_free_bytes", "Room on the database's disk.", size.free)
    keys = GaugeMetricFamily("strongroom_data_keys", "Data keys of all accounts.", labels=["state"])
    keys.add_metric(["active"], state.data_keys.active)
    keys.add_metric(["decrypt_only"], state.data_keys.decrypt_only)
    yield keys
    if state.stale_data_keys is not None:
        text = "Data keys that lack a current wrapping by some provider."
        yield _gauge("strongroom_data_keys_stale", text, state.stale_data_keys)
    if state.oldest_active_s is not None:
        text = "Age of the oldest active data key."
        yield _gauge("strongroom_data_key_oldest_active_seconds", text, state.oldest_active_s)
    text = "Leaves of the audit log under its newest head."
    yield _gauge("strongroom_audit_log_size", text, state.audit_log_size)
    text = "Age of the newest head of the audit log."
    yield _gauge("strongroom_audit_head_age_seconds", text, state.audit_head_age_s)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _count_call(listed: ListedProvider, operation: str, seconds: float, outcome: str) -> None:
    names = (*_names(listed), operation, outcome)
    meters.PROVIDER_SECONDS.labels(*names).observe(seconds)


def _names(listed: ListedProvider) -> tuple[str, str]:
    return listed.setting, listed.provider.scheme
