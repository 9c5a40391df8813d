"""Backups and restores with the server in every state."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from threading import Event

import pytest
import requests

from tests.e2e.test_endings import create
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

BEFORE = 30


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
        f"{server.url}/v1/secrets", params={"limit": 5000}, headers=headers, timeout=30
    )
    assert answer.status_code == 200
    return len(answer.json()["secrets"])


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


def test_a_backup_of_a_busy_server_has_every_acknowledged_write(
    server: Strongroom, tmp_path: Path
) -> None:
    done, number = Event(), count(BEFORE)

    def write() -> None:
        while not done.is_set():
            create(server, range(at := next(number), at + 1))

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write) for _ in range(4)]
        for each in range(5):
            answered = count_secrets(server)
            file = tmp_path / f"backup-{each}"
            server.command("backup", str(file))
            with closing(sqlite3.connect(file)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                ((held,),) = copy.execute("SELECT count(*) FROM secrets")
            assert answered <= held <= count_secrets(server)
            if each == 2:
                server.reload()
        done.set()
        for writer in writers:
            writer.result()


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
