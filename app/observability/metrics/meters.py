"""The metrics that workers count, each with its labels.

A label is a route's template, a code of ours or a name that the operator chose. No client chooses
one, so their number is bounded, and nothing that a client sent is shown.
"""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter(
    "strongroom_requests", "Requests that were answered.", ("route", "method", "status")
)
REQUEST_SECONDS = Histogram(
    "strongroom_request_seconds",
    "Time in which a request was answered.",
    ("route", "method"),
    buckets=_SECONDS,
)
REFUSALS = Counter("strongroom_refusals", "Requests that were refused, by error code.", ("code",))
REDEMPTIONS = Counter("strongroom_redemptions", "Redemptions of injections.", ("outcome",))
WARNINGS = Counter("strongroom_warnings", "Warnings and errors in the log.", ("event", "level"))
PROVIDER_SECONDS = Histogram(
    "strongroom_provider_call_seconds",
    "Time of a call to a key provider.",
    ("provider", "scheme", "operation", "outcome"),
    buckets=_SECONDS,
)
PROVIDER_REFUSES = Gauge(
    "strongroom_provider_breaker_open",
    "1 while a worker asks the provider for nothing, since it failed several times in a row.",
    ("provider", "scheme"),
    multiprocess_mode="livemax",
)
CACHE_LOOKUPS = Counter(
    "strongroom_data_key_cache_lookups", "Look-ups of opened data keys.", ("result",)
)
CACHED_DATA_KEYS = Gauge(
    "strongroom_data_key_cache_keys",
    "Opened data keys in the memory of all workers.",
    multiprocess_mode="livesum",
)
CONNECTIONS = Gauge(
    "strongroom_database_connections",
    "Connections to the database of all workers: in use, and at most.",
    ("kind",),
    multiprocess_mode="livesum",
)
DROPPED_LINES = Counter("strongroom_log_lines_dropped", "Log lines that nobody read in time.")
WORKERS = Gauge("strongroom_workers", "Workers that serve.", multiprocess_mode="livesum")
WAITING_EVENTS = Gauge(
    "strongroom_audit_events_waiting",
    "Records of the audit trail that no worker knows to be sealed.",
    multiprocess_mode="livemin",
)

for _event, _level in (
    ("audit_damaged", "ERROR"),
    ("audit_gap", "ERROR"),
    ("audit_rolled_back", "CRITICAL"),
    ("audit_rolled_back", "ERROR"),
    ("audit_stuck", "ERROR"),
    ("root_key_refused", "ERROR"),
    ("row_damaged", "WARNING"),
):
    WARNINGS.labels(_event, _level)  # at 0: an increase from nothing to 1 would fire no alert
