"""A command's output through ``--mask``, beside the same output without it, in one run.

The base is ``cat`` of 16 MiB into the same reader. Printed are the rate in MB/s, its ratio to the
base, and the MB that a second of processor time is enough for, which tells the rate with a core of
its own: by what is printed, how many values are looked for, and whether we are on a terminal.

On a terminal a second base is the same relay without masking, as ``--watch`` alone uses it, with
the processor time of both: under other work it says more than the rate.

    python -m tests.benchmarks.masking
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from base64 import encodebytes
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from tests.benchmarks.paired import compare
from tests.benchmarks.wrk import Load

_BYTES = 16 << 20
_ROUNDS = 7
_COUNTS = (1, 10, 50)
_READ_BYTES = 1 << 20

_RELAYED = """
import os, sys
from app.client.terminal.start import Job, run_job
sys.exit(run_job(Job(sys.argv[1:], dict(os.environb), None)))
"""
_MASKED = """
import os, random, sys
from base64 import b64encode
from app.client.terminal.start import Job, run_job
from app.masking.search import ValueSearch
source = random.Random(1)
values = [b64encode(source.randbytes(12 + i % 3 * 12)).decode() for i in range(int(sys.argv[1]))]
sys.exit(run_job(Job(sys.argv[2:], dict(os.environb), ValueSearch(values))))
"""

Measure = Callable[[Sequence[str]], Load]
"""Runs a command; of the load, ``p50`` is its processor time in seconds."""


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as name:
        kinds = {"log lines": _log(), "JSON lines": _json(), "base64": _base64()}
        for kind, content in kinds.items():
            file = Path(name, kind)
            file.write_bytes(content)
            for place, measure in (("pipe", _through_pipe), ("terminal", _through_terminal)):
                for count in _COUNTS:
                    _compare(f"{kind}, {count} values, {place}", measure, file, count)
            _compare_with_relay(kind, file)


def _compare(what: str, measure: Measure, file: Path, count: int) -> None:
    masked = [sys.executable, "-c", _MASKED, str(count), "cat"]
    found = compare(
        lambda: measure(["cat", str(file)]), lambda: measure([*masked, str(file)]), _ROUNDS
    )
    start = measure([*masked, "/dev/null"]).p50
    bounded = _BYTES / 1e6 / (found.load.p50 - start)
    rate = f"{found.load.rate:.0f} MB/s, {found.throughput:.3f} of {found.base.rate:.0f}"
    click.echo(f"{what}: {rate}; {bounded:.0f} MB a second of processor time")


def _compare_with_relay(kind: str, file: Path) -> None:
    relayed = [sys.executable, "-c", _RELAYED, "cat"]
    masked = [sys.executable, "-c", _MASKED, str(_COUNTS[-1]), "cat"]
    found = compare(
        lambda: _through_terminal([*relayed, str(file)]),
        lambda: _through_terminal([*masked, str(file)]),
        _ROUNDS,
    )
    starts = [_through_terminal([*each, os.devnull]).p50 for each in (relayed, masked)]
    without, ours = (
        (load.p50 - start) * 1e9 / _BYTES
        for load, start in zip((found.base, found.load), starts, strict=True)
    )
    rate = f"{found.load.rate:.0f} MB/s, {found.throughput:.2f} of {found.base.rate:.0f}"
    times = f"{ours:.1f} ms of processor time a MB, {without:.1f} without masking"
    click.echo(f"{kind}, {_COUNTS[-1]} values, terminal, beside no masking: {rate}; {times}")


def _through_pipe(command: Sequence[str]) -> Load:
    outer, inner = os.pipe()
    return _measure(command, outer, subprocess.DEVNULL, inner)


def _through_terminal(command: Sequence[str]) -> Load:
    outer, inner = os.openpty()
    return _measure(command, outer, inner, inner)


def _measure(command: Sequence[str], outer: int, source: int, inner: int) -> Load:
    """Read to the end; the clock runs from the first byte on."""
    process = subprocess.Popen(command, stdin=source, stdout=inner, start_new_session=True)
    os.close(inner)
    count, start = len(_read(outer)), time.perf_counter()
    while piece := _read(outer):
        count += len(piece)
    seconds = time.perf_counter() - start
    os.close(outer)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    return Load(count / seconds / 1e6, usage.ru_utime + usage.ru_stime, seconds)


def _read(source: int) -> bytes:
    try:
        return os.read(source, _READ_BYTES)
    except OSError:  # EIO: the terminal's other end is closed
        return b""


def _log() -> bytes:
    words = ["GET", "/v1/items", "200", "404", "served", "in", "ms", "user=alice", "INFO", "12.7"]
    source = random.Random(2)
    lines = [" ".join(source.choices(words, k=12)) + "\n" for _ in range(10_000)]
    block = "".join(lines).encode()
    return (block * (_BYTES // len(block) + 1))[:_BYTES]


def _json() -> bytes:
    """The log lines with quotes and a URL in them, each as JSON: 8 escapes a line."""
    lines = _log()[: _BYTES // 32].decode().splitlines()
    messages = (f'{line} "GET" "/a%20b?c=%2F" from "client"' for line in lines)
    block = "".join(json.dumps({"level": "info", "message": each}) + "\n" for each in messages)
    return (block.encode() * (_BYTES // len(block) + 1))[:_BYTES]


def _base64() -> bytes:
    return encodebytes(random.Random(3).randbytes(_BYTES * 3 // 4))[:_BYTES]


if __name__ == "__main__":
    main()
