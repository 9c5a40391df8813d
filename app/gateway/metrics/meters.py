"""The metrics that the gateway's workers count, each with its labels.

A label is a class of statuses or a code. No tenant, agent or upstream chooses one: codes that this
version of the gateway does not know, of an API of another version, are counted as ``other``.
"""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "strongroom_gateway_requests",
    "Requests to the gateway, by the class of their status, code of refusal, or end.",
    ("outcome",),
)
OPEN = Gauge(
    "strongroom_gateway_open_requests",
    "Admitted requests under way: answers that stream, uploads, WebSockets.",
    multiprocess_mode="livesum",
)
CUT_OFF = Counter(
    "strongroom_gateway_cut_off", "Requests that were cut off while they were under way.", ("code",)
)
BYTES = Counter(
    "strongroom_gateway_bytes",
    "Bytes of bodies and messages, of requests that ended.",
    ("direction",),
)
SCRUB_HITS = Counter(
    "strongroom_gateway_scrub_hits", "Values of secrets that were masked in answers."
)
ADMISSION_SECONDS = Histogram(
    "strongroom_gateway_admission_seconds",
    "Time in which the API decided about a request.",
    ("outcome",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
WORKERS = Gauge(
    "strongroom_gateway_workers", "Workers that carry requests.", multiprocess_mode="livesum"
)
