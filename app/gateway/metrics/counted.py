"""Counts the gateway's traffic in the files of its workers."""

from collections.abc import Iterator

from app.domain.gateways.refusals import AdmissionRefused
from app.gateway.admission import End
from app.gateway.messages.refusals import REFUSALS
from app.gateway.metrics import meters
from app.gateway.traffic import Traffic

_OTHER = "other"
_OF_API = frozenset({"ambiguous_path", "keys_unavailable", "storage_unavailable"})


class CountedTraffic(Traffic):
    """Counts what it is shown."""

    def __init__(self) -> None:
        meters.WORKERS.set(1)
        ends = frozenset(_codes_of(AdmissionRefused))
        self._codes = ends.union(REFUSALS, _OF_API)
        # At 0: Prometheus sees no increase from nothing to 1.
        for code in ends:
            meters.CUT_OFF.labels(code)
        for direction in ("in", "out"):
            meters.BYTES.labels(direction)
        for outcome in ("admitted", "refused", "failed"):
            meters.ADMISSION_SECONDS.labels(outcome)

    def answered(self, status: int) -> None:  # noqa: D102 - as documented there
        meters.REQUESTS.labels(f"{status // 100}xx").inc()

    def refused(self, code: str) -> None:  # noqa: D102 - as documented there
        meters.REQUESTS.labels(self._known(code)).inc()

    def failed(self, reason: str) -> None:  # noqa: D102 - as documented there
        meters.REQUESTS.labels(reason).inc()

    def asked(self, seconds: float, outcome: str) -> None:  # noqa: D102 - as documented there
        meters.ADMISSION_SECONDS.labels(outcome).observe(seconds)

    def opened(self) -> None:  # noqa: D102 - as documented there
        meters.OPEN.inc()

    def closed(self, end: End) -> None:  # noqa: D102 - as documented there
        meters.OPEN.dec()
        meters.BYTES.labels("in").inc(end.bytes_in)
        meters.BYTES.labels("out").inc(end.bytes_out)
        meters.SCRUB_HITS.inc(end.scrub_hits)

    def cut_off(self, code: str) -> None:  # noqa: D102 - as documented there
        meters.CUT_OFF.labels(self._known(code)).inc()

    def _known(self, code: str) -> str:
        return code if code in self._codes else _OTHER


def _codes_of(kind: type[AdmissionRefused]) -> Iterator[str]:
    for each in kind.__subclasses__():
        if "code" in vars(each):
            yield each.code
        yield from _codes_of(each)
