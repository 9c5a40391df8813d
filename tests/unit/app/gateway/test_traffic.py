"""The traffic of a gateway is shown to whoever counts it, who knows all codes."""

import re
import threading
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from app.gateway.admission import End
from app.gateway.metrics.counted import CountedTraffic
from app.gateway.traffic import Traffic
from tests.support.gateway.recorder import two_parts
from tests.support.gateway.rig import rig
from tests.support.waiting import wait_until

ERRORS = Path(__file__).parents[4] / "docs" / "errors.md"


class Seen(Traffic):
    """Remembers what it is shown."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def failed(self, reason: str) -> None:
        self.seen.append(reason)

    def cut_off(self, code: str) -> None:
        self.seen.append(("cut off", code))

    def opened(self) -> None:
        self.seen.append("opened")

    def closed(self, end: End) -> None:
        self.seen.append(("closed", end.status))


def test_a_request_that_is_cut_off_is_shown_with_the_code(tmp_path: Path) -> None:
    seen, may_end = Seen(), threading.Event()
    with rig(tmp_path, recheck_seconds=0.05, traffic=seen) as running:
        running.upstream.answer = two_parts(may_end)
        with running.stream() as response:
            response.read(9)
            running.api.over = {"*": "gateway_token_expired"}
            wait_until(lambda: "client_gone" in seen.seen)
        may_end.set()
    assert seen.seen == [
        "opened",
        ("closed", 200),
        ("cut off", "gateway_token_expired"),
        "client_gone",
    ]


def _codes() -> list[str]:
    """The codes that the page of errors lists for the gateway."""
    _, _, page = ERRORS.read_text().partition("\n## Through the gateway\n")
    page, _, _ = page.partition("\n## ")
    return re.findall("^\\| `([a-z_]+)` ", page, re.MULTILINE)


@pytest.mark.parametrize("code", sorted(set(_codes()) - {"gateway_key_refused"}))
def test_every_refusal_is_counted_under_its_code(code: str) -> None:
    name, labels = "strongroom_gateway_requests_total", {"outcome": code}
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    CountedTraffic().refused(code)
    assert REGISTRY.get_sample_value(name, labels) == before + 1
