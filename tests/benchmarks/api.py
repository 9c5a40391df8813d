"""The Secrets API as ratios to bare Flask, in one run, on the same kind of gunicorn worker.

Both run under two ``sync`` workers, which measure the application rather than the server's threads.

    python -m tests.benchmarks.api
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from app.domain.secrets import SecretValue
from tests.benchmarks import wrk
from tests.benchmarks.paired import Comparison, compare
from tests.benchmarks.servers import MeasuredServer, bare_flask, strongroom
from tests.benchmarks.wrk import Load

SYNC = ("--worker-class=sync", "--threads=1")
_ROUNDS = 9
_LISTED = 5000
_CREATED = "CREATE"

CREATE = """
local run, number = os.time() .. "_" .. math.random(1e9), 0
request = function()
    number = number + 1
    local body = string.format('{"name":"RUN_%s_%d","value":"a value"}', run, number)
    return wrk.format("POST", "/v1/secrets", {
        ["Authorization"] = wrk.headers["Authorization"],
        ["Content-Type"] = "application/json",
        ["x-request-id"] = run .. "-" .. number,
    }, body)
end
init = function() math.randomseed(os.time() + tonumber(tostring({}):sub(8))) end
"""


def main() -> None:
    """Print the ratio of each operation."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with bare_flask(worker=SYNC) as base_url:

            def base() -> Load:
                return wrk.run(base_url, directory)

            for what, measured in _operations(directory):
                show(what, "bare Flask", compare(base, measured, _ROUNDS))
                if what == _CREATED:
                    floor = _committing(directory / "floor.db")
                    show(what, "bare commits", compare(floor, measured, _ROUNDS))


def _operations(directory: Path) -> Iterator[tuple[str, Callable[[], Load]]]:
    with strongroom(directory / "few", worker=SYNC) as few:
        fill(few, 40)
        yield "GET by name", _getting(few, "/v1/secrets/SECRET_7", directory)
        yield "LIST 20", _getting(few, "/v1/secrets", directory)
        yield _CREATED, _creating(few, directory)
    with strongroom(directory / "many", worker=SYNC) as many:
        fill(many, _LISTED)
        yield "LIST 5000", _getting(many, f"/v1/secrets?limit={_LISTED}", directory)


def fill(server: MeasuredServer, count: int) -> None:
    """Create secrets named ``SECRET_0``, ``SECRET_1`` and so on."""
    for number in range(count):
        server.services.secrets.create(
            server.caller, f"SECRET_{number}", SecretValue("a value"), None
        )


def _getting(server: MeasuredServer, path: str, directory: Path) -> Callable[[], Load]:
    header = f"Authorization: Bearer {server.token}"
    return lambda: wrk.run(f"{server.url}{path}", directory, headers=[header])


def _creating(server: MeasuredServer, directory: Path) -> Callable[[], Load]:
    header = f"Authorization: Bearer {server.token}"
    return lambda: wrk.run(server.url, directory, headers=[header], script=CREATE)


def _committing(path: Path) -> Callable[[], Load]:
    """The rate at which this disk takes commits: one process, an insert and the fsync."""

    def commit() -> Load:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE IF NOT EXISTS rows (row BLOB)")
            count, started = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - started) < 1:
                connection.execute("INSERT INTO rows VALUES (zeroblob(1000))")
                count += 1
        return Load(count / elapsed, 1000 * elapsed / count, 0.0)

    return commit


def show(what: str, base: str, found: Comparison) -> None:
    """Print a ratio, and the rates that it came from."""
    click.echo(
        f"{what:12} {found.throughput:.3f} of {base}; "
        f"{found.load.rate:.0f}/s beside {found.base.rate:.0f}/s, p50 {found.load.p50:.2f} ms"
    )


if __name__ == "__main__":
    main()
