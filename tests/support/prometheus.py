"""A real Prometheus that scrapes one server."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.waiting import wait_until

SCRAPE_SECONDS = 1
"""The interval of the scrapes, and their timeout, which slow machines need."""

Line = tuple[dict[str, str], list[tuple[float, float]]]
"""The labels of a series, and its samples: the time in Unix seconds, and the value."""


@dataclass(frozen=True)
class Prometheus:
    """One server of Prometheus, on a port of its own."""

    url: str

    def lines(self, query: str, start: float, end: float) -> list[Line]:
        """Return what a query yields between two times."""
        found = self._ask(
            "query_range", {"query": query, "start": start, "end": end, "step": SCRAPE_SECONDS}
        )
        return [
            (each["metric"], [(float(when), float(value)) for when, value in each["values"]])
            for each in found["result"]
        ]

    def label_values(self, label: str, metric: str) -> list[str]:
        """Return the values that a label of a metric has."""
        found: list[str] = self._ask(f"label/{label}/values", {"match[]": metric})
        return found

    def is_ready(self) -> bool:
        """Report whether it answers queries."""
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def _ask(self, path: str, asked: dict[str, Any]) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=asked, timeout=60)
        assert answer.ok, answer.text
        return answer.json()["data"]


@contextmanager
def prometheus_server(directory: Path, target: str, instance: str) -> Iterator[Prometheus]:
    """Run one until the block ends.

    Args:
        directory: For its configuration, its log and its data.
        target: The address of the metrics, ``HOST:PORT``.
        instance: The name of the server in the label ``instance``.
    """
    program, address = require("prometheus"), f"127.0.0.1:{free_port()}"
    directory.mkdir()
    configuration = directory / "prometheus.yml"
    configuration.write_text(_configuration(target, instance))
    command = [
        program,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    prometheus = Prometheus(f"http://{address}")
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or prometheus.is_ready())
            assert process.poll() is None, (directory / "log").read_text()
            yield prometheus
        finally:
            process.kill()


def _configuration(target: str, instance: str) -> str:
    scraped = {"targets": [target], "labels": {"instance": instance}}
    interval = f"{SCRAPE_SECONDS}s"
    whole = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": [{"job_name": "strongroom", "static_configs": [scraped]}],
    }
    return json.dumps(whole)  # which is YAML, too
