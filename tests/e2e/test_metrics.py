"""Metrics of a real server: right under two workers, and shown on their own address only."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.canaries import canary, found_in
from tests.support.alerts import RULES
from tests.support.ports import free_port
from tests.support.scraped import Scraped
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

REQUESTS = 20
OF_SQLITE = {"strongroom_database_log_bytes", "strongroom_disk_free_bytes"}
PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@dataclass
class Watched(Scraped):
    """A server, and the address of its metrics."""

    server: Strongroom

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        """Call the API over a connection of its own, so that any worker may answer."""
        headers = {"Authorization": f"Bearer {self.server.api_key}"}
        url = f"{self.server.url}{path}"
        return requests.request(method, url, headers=headers, timeout=30, **options)  # type: ignore[arg-type]

    def listed(self) -> float:
        """How often a list of secrets was answered."""
        labels = {"route": "/v1/secrets", "method": "GET", "status": "200"}
        return self.value("strongroom_requests_total", **labels)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    port = free_port()
    settings = {"STRONGROOM_METRICS_BIND": f"127.0.0.1:{port}", "STRONGROOM_WORKERS": "2"}
    with running(tmp_path_factory.mktemp("watched"), settings) as server:
        yield Watched(f"http://127.0.0.1:{port}", server)


def test_the_requests_of_all_workers_are_counted(watched: Watched) -> None:
    before = watched.listed()
    for _ in range(REQUESTS):
        watched.call("GET", "/v1/secrets")
    assert watched.listed() == before + REQUESTS


def test_no_count_is_lost_when_the_workers_are_replaced(watched: Watched) -> None:
    watched.call("GET", "/v1/secrets")
    before = watched.listed()
    master, *old = watched.server.processes()
    os.kill(master, signal.SIGHUP)
    wait_until(lambda: not set(old) & set(watched.server.processes()), seconds=30)
    watched.server.wait_until_ready()
    watched.call("GET", "/v1/secrets")
    assert watched.listed() == before + 1


def test_no_count_is_lost_when_a_worker_is_killed(watched: Watched) -> None:
    watched.call("GET", "/v1/secrets")
    before = watched.listed()
    _, killed, _ = watched.server.processes()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in watched.server.processes(), seconds=30)
    assert watched.listed() == before


def test_every_worker_reports_its_state(watched: Watched) -> None:
    wait_until(lambda: watched.value("strongroom_workers") == 2, seconds=30)


def test_the_database_is_measured(watched: Watched) -> None:
    assert watched.value("strongroom_database_bytes") > 0


def test_the_data_keys_are_counted(watched: Watched) -> None:
    assert watched.value("strongroom_data_keys", state="active") >= 1


def test_calls_of_key_providers_are_counted(watched: Watched) -> None:
    labels = {"operation": "unwrap", "outcome": "ok", "scheme": "local-fernet"}
    assert watched.value("strongroom_provider_call_seconds_count", **labels) >= 1


@pytest.mark.parametrize("path", ["/", "/v1/secrets", "/healthz", "/metrics/"])
def test_nothing_else_is_on_the_address_of_the_metrics(watched: Watched, path: str) -> None:
    headers = {"Authorization": f"Bearer {watched.server.api_key}"}
    answer = requests.get(f"{watched.metrics_url}{path}", headers=headers, timeout=10)
    assert answer.status_code == 404


def test_the_metrics_can_only_be_read(watched: Watched) -> None:
    assert requests.post(f"{watched.metrics_url}/metrics", timeout=10).status_code == 404


def test_no_metrics_are_on_the_address_of_the_api(watched: Watched) -> None:
    assert watched.call("GET", "/metrics").status_code == 404


def test_no_metric_shows_what_a_client_sent(watched: Watched) -> None:
    name, value = "OF_A_CUSTOMER", canary(1)
    watched.call("POST", "/v1/secrets", json={"name": name, "value": value})
    made = watched.call("POST", "/v1/injections", json={"secrets": {"A_VARIABLE": name}}).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    requests.post(f"{watched.server.url}/v1/injections/redeem", headers=bearer, timeout=30)
    watched.call("OF-A-CLIENT", f"/v1/secrets/{value}?{value}={value}")
    text = watched.text()
    known = [name, "OF-A-CLIENT", "A_VARIABLE", made["id"], made["token"], watched.server.api_key]
    assert [*found_in(text.encode()), *[each for each in known if each in text]] == []


def test_the_page_lists_every_metric(watched: Watched) -> None:
    requests.post(f"{watched.server.url}/v1/injections/redeem", timeout=30)
    watched.call("POST", "/v1/injections/redeem")
    wait_until(lambda: "strongroom_audit_events_waiting " in watched.text(), seconds=60)
    wait_until(lambda: watched.value("strongroom_workers") == 2, seconds=30)
    families = text_string_to_metric_families(watched.text())
    shown = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    documented = set(
        re.findall("^\\| `(strongroom_(?!gateway_)[a-z_]+)` ", PAGE.read_text(), re.MULTILINE)
    )
    has_files = (watched.server.home / "strongroom.db").exists()
    assert shown == documented - (set() if has_files else OF_SQLITE)


def test_every_event_with_an_alert_is_counted_from_0(watched: Watched) -> None:
    """Prometheus sees no increase from nothing to 1, so no alert would fire for the first one."""
    named = re.findall('warnings_total{event=~?"([a-z_|]+)"}', RULES.read_text())
    expected = {event for events in named for event in events.split("|")}
    shown = set(re.findall('\nstrongroom_warnings_total{event="([a-z_]+)"', watched.text()))
    assert expected
    assert expected <= shown


def test_the_directory_of_the_counts_goes_with_the_server(tmp_path: Path) -> None:
    settings = {"STRONGROOM_METRICS_BIND": f"127.0.0.1:{free_port()}"}
    with running(tmp_path, settings) as server:
        directory = directory_of(server.processes()[0])
        server.stop()
        assert not directory.exists()


def directory_of(process: int) -> Path:
    """The directory of metrics that a process has open."""
    targets = [file.readlink() for file in Path(f"/proc/{process}/fd").iterdir()]
    (found,) = {target for target in targets if target.name.startswith("strongroom-metrics-")}
    return found
