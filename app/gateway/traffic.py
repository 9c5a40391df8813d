"""The moments of the gateway's traffic that somebody may count.

The parts of the gateway know this class and no metrics. Without ``STRONGROOM_GATEWAY_METRICS_BIND``
it counts nothing, and the library of the metrics is not imported.
"""

from app.gateway.admission import End


class Traffic:
    """Is shown what happens; this one does nothing."""

    def answered(self, status: int) -> None:
        """Note a request that got the whole of an answer with this status."""

    def refused(self, code: str) -> None:
        """Note a request that got a refusal with this code."""

    def failed(self, reason: str) -> None:
        """Note a request that got no answer, or a part of one; the reason is ours."""

    def asked(self, seconds: float, outcome: str) -> None:
        """Note that the API was asked to admit a request; the outcome is ours."""

    def opened(self) -> None:
        """Note that an admitted request is under way."""

    def closed(self, end: End) -> None:
        """Note that it is not any more."""

    def cut_off(self, code: str) -> None:
        """Note that a request under way was cut off: it is not permitted any more."""
