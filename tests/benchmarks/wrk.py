"""Load from wrk: one thread, eight connections that stay open, for a while."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8

_REPORT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "failed": %d}',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
"""


class LoadFailed(Exception):
    """Requests failed, so what was measured means nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """The figures of one run.

    Attributes:
        rate: Requests a second.
        p50: The median latency in milliseconds.
        p99: The latency in milliseconds that one request in a hundred exceeds.
    """

    rate: float
    p50: float
    p99: float


def run(
    url: str,
    directory: Path,
    *,
    seconds: int = 1,
    headers: Sequence[str] = (),
    script: str = "",
    arguments: Sequence[str] = (),
) -> Load:
    """Send requests to ``url`` for a while.

    Args:
        url: Where to.
        directory: For the script.
        seconds: How long.
        headers: ``Name: value`` of each request.
        script: Lua that makes the requests; without it each is a GET of ``url``.
        arguments: For the script.

    Raises:
        LoadFailed: A request failed or had a status of 400 or above.
    """
    file = directory / "load.lua"
    file.write_text(script + _REPORT)
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is not installed")
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(file)]
    options += [option for header in headers for option in ("-H", header)]
    done = subprocess.run(
        [wrk, *options, url, "--", *arguments],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
    )
    report = json.loads(done.stderr)
    if report["failed"]:
        raise LoadFailed(f"{report['failed']} of {report['requests']} requests failed")
    rate = report["requests"] / (report["microseconds"] / 1e6)
    return Load(rate, report["p50"] / 1000, report["p99"] / 1000)
