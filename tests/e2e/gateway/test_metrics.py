"""The metrics of a real gateway: right under two workers, through restarts, and without names."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway.api import CONFIG, CREDENTIAL, KEY, TOKEN
from tests.support.gateway.process import Process, gateway_process
from tests.support.gateway.recorder import HELLO, Connection, Received, two_parts
from tests.support.ports import free_port
from tests.support.scraped import Scraped
from tests.support.waiting import wait_until

REQUESTS = 20
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "metrics.md"
REQUESTS_TOTAL = "strongroom_gateway_requests_total"


@dataclass
class Watched(Scraped):
    """A gateway, and the address of its metrics."""

    process: Process

    def has_grown(self, before: float, by: float, name: str, **labels: str) -> None:
        """Wait until a sample has grown by as much: a client has its answer a moment earlier."""
        wait_until(lambda: self.value(name, **labels) == before + by, 30)

    def wait_for_workers(self) -> None:
        wait_until(lambda: self.value("strongroom_gateway_workers") == 2, 60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    address = f"127.0.0.1:{free_port()}"
    directory = tmp_path_factory.mktemp("gateway")
    with gateway_process(directory, workers=2, STRONGROOM_GATEWAY_METRICS_BIND=address) as process:
        yield Watched(f"http://{address}", process)


@pytest.fixture
def watched(running: Watched) -> Watched:
    """The same, with neighbours that are well."""
    running.process.rig.upstream.answer = hello
    running.process.rig.api.admit_to(running.process.rig.upstream.port)
    running.wait_for_workers()
    return running


async def hello(connection: Connection, _: Received) -> None:
    await connection.send(HELLO)


async def broken(connection: Connection, _: Received) -> None:
    connection.writer.close()


async def showing(connection: Connection, _: Received) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(CREDENTIAL)}"
    await connection.send(f"{head}\r\n\r\n{CREDENTIAL}".encode())


def test_the_requests_of_all_workers_are_counted(watched: Watched) -> None:
    before = watched.value(REQUESTS_TOTAL, outcome="2xx")
    for _ in range(REQUESTS):
        watched.process.rig.call()
    watched.has_grown(before, REQUESTS, REQUESTS_TOTAL, outcome="2xx")


def reload(process: Process) -> None:
    process.signal(signal.SIGHUP)


def kill_workers(process: Process) -> None:
    for worker in process.workers():
        os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("replace", [reload, kill_workers], ids=["reloaded", "killed"])
def test_no_count_is_lost_with_the_workers(
    watched: Watched, replace: Callable[[Process], None]
) -> None:
    before = watched.value(REQUESTS_TOTAL, outcome="2xx")
    watched.process.rig.call()
    watched.has_grown(before, 1, REQUESTS_TOTAL, outcome="2xx")
    old = watched.process.workers()
    replace(watched.process)
    wait_until(lambda: old.isdisjoint(watched.process.workers()), 60)
    watched.wait_for_workers()
    watched.process.rig.call()
    watched.has_grown(before, 2, REQUESTS_TOTAL, outcome="2xx")


def test_a_stream_counts_while_it_is_under_way(watched: Watched) -> None:
    may_end = threading.Event()
    watched.process.rig.upstream.answer = two_parts(may_end)
    with watched.process.rig.stream() as response:
        response.read(9)
        assert watched.value("strongroom_gateway_open_requests") == 1
        may_end.set()
        response.read()
    wait_until(lambda: watched.value("strongroom_gateway_open_requests") == 0, 30)


@pytest.mark.parametrize(("direction", "count"), [("in", 7), ("out", 5)])
def test_the_bytes_of_bodies_are_counted(watched: Watched, direction: str, count: int) -> None:
    before = watched.value("strongroom_gateway_bytes_total", direction=direction)
    watched.process.rig.call("POST", body=b"1234567")
    watched.has_grown(before, count, "strongroom_gateway_bytes_total", direction=direction)


def test_values_that_were_masked_are_counted(watched: Watched) -> None:
    before = watched.value("strongroom_gateway_scrub_hits_total")
    watched.process.rig.upstream.answer = showing
    watched.process.rig.call()
    watched.has_grown(before, 1, "strongroom_gateway_scrub_hits_total")


def test_an_upstream_that_fails_is_counted(watched: Watched) -> None:
    before = watched.value(REQUESTS_TOTAL, outcome="upstream_unreachable")
    watched.process.rig.upstream.answer = broken
    assert watched.process.rig.call().code == "upstream_unreachable"
    watched.has_grown(before, 1, REQUESTS_TOTAL, outcome="upstream_unreachable")


def test_what_is_no_http_is_counted(watched: Watched) -> None:
    before = watched.value(REQUESTS_TOTAL, outcome="bad_request")
    watched.process.rig.raw(b"GET / HTTP/1.1\r\nHost: gw\r\nX: a\x01\r\n\r\n")
    watched.has_grown(before, 1, REQUESTS_TOTAL, outcome="bad_request")


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (None, "admitted"),
        ((403, {"code": "secret_gone"}, {}), "refused"),
        ((500, {"code": "internal_error"}, {}), "failed"),
    ],
    ids=["admitted", "refused", "failed"],
)
def test_the_time_of_admissions_is_counted_by_their_outcome(
    watched: Watched, refusal: tuple[int, dict[str, str], dict[str, str]] | None, outcome: str
) -> None:
    name = "strongroom_gateway_admission_seconds_count"
    before = watched.value(name, outcome=outcome)
    watched.process.rig.api.refusal = refusal
    watched.process.rig.call()
    watched.has_grown(before, 1, name, outcome=outcome)


def test_a_code_that_this_version_does_not_know_is_no_label(watched: Watched) -> None:
    before = watched.value(REQUESTS_TOTAL, outcome="other")
    watched.process.rig.api.refusal = (403, {"code": "of_another_version"}, {})
    watched.process.rig.call()
    watched.has_grown(before, 1, REQUESTS_TOTAL, outcome="other")


@pytest.mark.parametrize("path", ["/", f"/{CONFIG}/v1/x", "/metrics/", "/metrics?a=b"])
def test_nothing_is_carried_on_the_address_of_the_metrics(watched: Watched, path: str) -> None:
    asked = len(watched.process.rig.api.asked)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.get(f"{watched.metrics_url}{path}", headers=headers, timeout=30)
    assert (answer.status_code, len(watched.process.rig.api.asked)) == (404, asked)


def test_the_metrics_can_only_be_read(watched: Watched) -> None:
    assert requests.post(f"{watched.metrics_url}/metrics", timeout=30).status_code == 404


def test_no_metrics_are_on_the_address_of_the_gateway(watched: Watched) -> None:
    answer = requests.get(f"http://127.0.0.1:{watched.process.rig.port}/metrics", timeout=30)
    assert (answer.status_code, answer.headers["x-strongroom-gateway"]) == (404, "refused")


def test_no_metric_shows_what_was_carried(watched: Watched) -> None:
    rig = watched.process.rig
    rig.call("POST", "/v1/canary?q=canary-of-a-query", {"X": "canary-of-a-header"}, b"canary")
    rig.call("CANARY")
    for answer in (showing, broken):
        rig.upstream.answer = answer
        rig.call(path="/canary")
    rig.api.refusal = (403, {"code": "canary", "message": "canary"}, {})
    rig.call()
    text = watched.text().lower()
    # The address is that of the upstream; a label of a bucket holds a number, too, but no such one.
    known = [TOKEN, CREDENTIAL, KEY, CONFIG, "canary", "127.0.0.1", f"{rig.upstream.port}"]
    assert [each for each in known if each.lower() in _labels(text)] == []


def _labels(text: str) -> str:
    """All but the values, which are numbers: any port may stand in a large one."""
    return "\n".join(line.rpartition(" ")[0] or line for line in text.splitlines())


def test_the_page_lists_every_metric(watched: Watched) -> None:
    families = text_string_to_metric_families(watched.text())
    shown = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    documented = set(
        re.findall("^\\| `(strongroom_gateway_[a-z_]+)` ", PAGE.read_text(), re.MULTILINE)
    )
    assert shown == documented


def test_the_directory_of_the_counts_goes_with_the_gateway(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with gateway_process(tmp_path, STRONGROOM_GATEWAY_METRICS_BIND=address) as process:
        opened = [file.readlink() for file in Path(f"/proc/{process.popen.pid}/fd").iterdir()]
        (directory,) = {file for file in opened if file.name.startswith("strongroom-metrics-")}
        assert directory.is_dir()
    assert not directory.exists()


def test_a_gateway_without_metrics_does_not_load_their_library(tmp_path: Path) -> None:
    script = (
        "import runpy, sys; runpy.run_path('config/gateway.py');"
        "import app.gateway.main, app.gateway.worker; sys.exit('prometheus_client' in sys.modules)"
    )
    environment = {"STRONGROOM_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0
