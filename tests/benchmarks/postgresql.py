"""The Secrets API on PostgreSQL as ratios to bare Flask, in one run, on the same gunicorn worker.

Reads are compared with Flask that returns a constant, and so is their floor: Flask that runs the
same statements by bare psycopg, and does nothing else. Creates are compared with Flask that makes
two raw INSERTs in one transaction, on the same server with the same durability. The server is in
memory, where a commit waits for no disk: on a slow disk both sides of a create wait for the same
flush, and the ratio only rises. A worker waits while the server works, so both sides have twice as
many workers as the machine of docs/performance.md has cores.

    python -m tests.benchmarks.postgresql [--rounds N] [--seconds N]
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import psycopg

from app.domain.access.api_keys import Caller
from app.domain.secrets import SecretFilter, SecretRef
from app.repository.base import Repository
from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.postgresql.options import ServerOptions
from tests.benchmarks import same_statements, two_inserts, wrk
from tests.benchmarks.api import CREATE, SYNC, fill, show
from tests.benchmarks.paired import compare
from tests.benchmarks.servers import MeasuredServer, bare_flask, strongroom
from tests.benchmarks.wrk import Load
from tests.support.postgresql import PostgresqlServer, postgresql_server

_SECRETS = 40
_WORKER = (*SYNC, "--workers=4")

_Read = Callable[[Repository, Caller], None]


@dataclass(frozen=True)
class _Run:
    """One run of the benchmark."""

    server: PostgresqlServer
    directory: Path
    rounds: int
    seconds: int

    def measure(self) -> None:
        url = self.server.url(self.server.create_database())
        with strongroom(
            self.directory / "home", worker=_WORKER, STRONGROOM_DATABASE_URL=url
        ) as ours:
            fill(ours, _SECRETS)
            with bare_flask(worker=_WORKER) as base_url:
                base = partial(self._load, base_url)
                for what, path, read in (
                    ("GET by name", "/SECRET_7", _get),
                    ("LIST 20", "", _list),
                ):
                    self._show(what, "bare Flask", base, self._asking(ours, path))
                    with self._reading(url, ours.caller, read) as floor:
                        self._show("its floor", "bare Flask", base, partial(self._load, floor))
            plain = self._plain_database()
            with bare_flask(
                worker=_WORKER, module="two_inserts", **{two_inserts.URL: plain}
            ) as floor:
                base = partial(self._load, floor, script=CREATE)
                self._show("CREATE", "two INSERTs behind Flask", base, self._creating(ours))

    def _show(
        self, what: str, base: str, floor: Callable[[], Load], measured: Callable[[], Load]
    ) -> None:
        show(what, base, compare(floor, measured, self.rounds))

    @contextmanager
    def _reading(self, url: str, caller: Caller, read: _Read) -> Iterator[str]:
        """Flask that runs the statements by which a request of the caller reads."""
        environment = {
            same_statements.URL: url,
            same_statements.STATEMENTS: json.dumps(_statements_of(url, caller, read)),
        }
        with bare_flask(worker=_WORKER, module="same_statements", **environment) as floor:
            yield floor

    def _asking(self, server: MeasuredServer, path: str) -> Callable[[], Load]:
        return partial(self._load, f"{server.url}/v1/secrets{path}", token=server.token)

    def _creating(self, server: MeasuredServer) -> Callable[[], Load]:
        return partial(self._load, server.url, token=server.token, script=CREATE)

    def _load(self, url: str, *, token: str = "", script: str = "") -> Load:
        header = f"Authorization: Bearer {token}"
        return wrk.run(url, self.directory, seconds=self.seconds, headers=[header], script=script)

    def _plain_database(self) -> str:
        url = self.server.url(self.server.create_database())
        with psycopg.connect(url) as connection:
            connection.execute(two_inserts.TABLES)
        return url


def _get(repository: Repository, caller: Caller) -> None:
    repository.secrets.view(caller.account_id, SecretRef.by_name("SECRET_7"))


def _list(repository: Repository, caller: Caller) -> None:
    repository.secrets.page_and_count(caller.account_id, SecretFilter(), 21, None)


def _statements_of(url: str, caller: Caller, read: _Read) -> list[tuple[str, dict[str, object]]]:
    """Return the statements of authentication and of a read, with their parameters."""
    with closing(PostgresqlDatabase(url, ServerOptions())) as database:
        with database.reading() as repository:
            repository.api_keys.get_with_account(caller.account_id, caller.api_key_id)
            read(repository, caller)
        prepared = [*database._prepared.values()]
    account = {"of_account_id": caller.account_id, "of_id": caller.api_key_id}
    parameters = {**account, "of_name": "SECRET_7", "limit": 21}
    return [(sql, dict(bind(parameters))) for sql, bind in prepared]


@click.command()
@click.option("--rounds", default=9, show_default=True, help="Pairs of measurements.")
@click.option("--seconds", default=1, show_default=True, help="The length of each.")
def main(rounds: int, seconds: int) -> None:
    """Print the ratio of each operation."""
    with tempfile.TemporaryDirectory() as directory, postgresql_server(quick=False) as server:
        _Run(server, Path(directory), rounds, seconds).measure()


if __name__ == "__main__":
    main()
