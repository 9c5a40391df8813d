"""Backups and restores with the server in every state."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
import requests

from tests.e2e.test_endings import create
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]

BEFORE = 30
WRITERS = 2
SECRETS_A_WRITER = 100


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Strongroom]:
    with running(tmp_path) as server:
        create(server, range(BEFORE))
        yield server


@pytest.fixture
def backup(server: Strongroom, tmp_path: Path) -> Path:
    """A backup of 30 secrets, made while the server serves."""
    server.command("backup", str(tmp_path / "backup"))
    return tmp_path / "backup"


def count_secrets(server: Strongroom) -> int:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    answer = requests.get(
        f"{server.url}/v1/secrets", params={"limit": 1}, headers=headers, timeout=30
    )
    assert answer.status_code == 200
    return int(answer.json()["total_count"])


def start_unready(server: Strongroom) -> None:
    """Start a server that must not become ready, and wait until it says so."""
    server.launch()
    wait_until(lambda: readiness(server) is not None)
    assert readiness(server) == 503


def readiness(server: Strongroom) -> int | None:
    """The status of ``/readyz``, once the server answers."""
    with suppress(requests.ConnectionError):
        return requests.get(f"{server.url}/readyz", timeout=10).status_code
    return None


def stopped(server: Strongroom) -> None:
    server.stop()


def killed(server: Strongroom) -> None:
    server.kill()


def interrupted(server: Strongroom) -> None:
    server.send(signal.SIGINT)
    server.stop()


def reloaded_and_killed(server: Strongroom) -> None:
    server.reload()
    server.kill()


DOWN = [stopped, killed, interrupted, reloaded_and_killed]


def test_after_a_crash_the_server_starts_with_everything(server: Strongroom) -> None:
    create(server, range(BEFORE, 200))
    server.kill()
    server.start()
    assert count_secrets(server) == 200


@pytest.mark.parametrize("how", ["cp", "mv"])
def test_a_backup_copied_over_a_killed_server_is_refused_until_it_is_restored(
    server: Strongroom, backup: Path, how: str
) -> None:
    create(server, range(BEFORE, 230))
    server.kill()
    database = server.home / "strongroom.db"
    copy = Path(shutil.copy(backup, server.home / "copy"))
    copy.chmod(0o600)
    subprocess.run([how, copy, database], check=True)
    refused = server.command("check", check=False)
    assert refused.returncode == 1
    assert "run: strongroom restore FILE --replace" in refused.stderr
    start_unready(server)
    headers = {"Authorization": f"Bearer {server.api_key}"}
    assert requests.get(f"{server.url}/v1/secrets", headers=headers, timeout=10).status_code == 503
    wait_until(lambda: "run: strongroom restore FILE --replace" in server.log.read_text())
    server.stop()
    server.command("restore", str(backup), "--replace")
    server.start()
    assert count_secrets(server) == BEFORE


@pytest.mark.parametrize("down", DOWN)
def test_a_backup_of_a_stopped_server_has_every_row(
    server: Strongroom, tmp_path: Path, down: Callable[[Strongroom], None]
) -> None:
    down(server)
    server.command("backup", str(tmp_path / "down"))
    server.command("restore", str(tmp_path / "down"), "--replace")
    server.start()
    assert count_secrets(server) == BEFORE


@pytest.mark.parametrize("down", DOWN)
def test_a_backup_is_restored_after_any_end_of_the_server(
    server: Strongroom, backup: Path, down: Callable[[Strongroom], None]
) -> None:
    create(server, range(BEFORE, 60))
    down(server)
    server.command("restore", str(backup), "--replace")
    server.start()
    assert count_secrets(server) == BEFORE
    assert server.command("check").returncode == 0


def test_a_restore_under_a_running_server_is_refused(server: Strongroom, backup: Path) -> None:
    refused = server.command("restore", str(backup), "--replace", check=False)
    assert refused.returncode == 1
    assert "The database is in use: stop the server" in refused.stderr
    assert count_secrets(server) == BEFORE


def names_in(backup: Path) -> set[str]:
    """The names of all secrets of a backup that SQLite finds sound."""
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {name for (name,) in copy.execute("SELECT name FROM secrets")}


@dataclass(frozen=True, slots=True)
class Writers:
    """Clients that write to a server all the time, and make a limited number of secrets."""

    begun: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    _over: Event = field(default_factory=Event)

    @contextmanager
    def writing(self, server: Strongroom) -> Iterator[None]:
        """Keep the server busy until the block ends, however it ends."""
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(self._write, server, number) for number in range(WRITERS)]
            try:
                yield
            finally:
                self._over.set()
        for writer in writers:
            writer.result()

    def _write(self, server: Strongroom, writer: int) -> None:
        """Create secrets, then go on by replacing the value of the last one."""
        headers = {"Authorization": f"Bearer {server.api_key}"}
        made = iter(f"OF_{writer}_{number}" for number in range(SECRETS_A_WRITER))
        latest = ""
        with requests.Session() as session:
            while not self._over.is_set():
                if name := next(made, ""):
                    self.begun.add(latest := name)
                    url, body = f"{server.url}/v1/secrets", {"name": name, "value": "a value"}
                else:
                    url, body = f"{server.url}/v1/secrets/{latest}", {"value": "another"}
                assert session.post(url, json=body, headers=headers, timeout=30).ok
                self.acknowledged.add(latest)


def test_a_backup_of_a_busy_server_has_every_acknowledged_write(
    server: Strongroom, tmp_path: Path
) -> None:
    writers = Writers()
    with writers.writing(server):
        for each in range(3):
            acknowledged = set(writers.acknowledged)
            server.command("backup", str(tmp_path / f"backup-{each}"))
            names = names_in(tmp_path / f"backup-{each}")
            assert acknowledged <= names
            assert len(names) <= BEFORE + len(writers.begun)
            if each == 1:
                server.reload()


def test_a_server_that_is_killed_in_the_middle_of_a_backup_is_none_of_its_business(
    server: Strongroom, tmp_path: Path
) -> None:
    create(server, range(BEFORE, 200))
    with subprocess.Popen(
        [str(Path(sys.executable).parent / "strongroom"), "backup", str(tmp_path / "backup")],
        env=server.environment,
        stdout=subprocess.DEVNULL,
    ) as making:
        wait_until(lambda: (tmp_path / ".backup.draft").exists() or making.poll() is not None)
        server.kill()
        assert making.wait(60) == 0
    server.command("restore", str(tmp_path / "backup"), "--replace")
    server.start()
    assert count_secrets(server) == 200
