"""Whatever ends a server or a command, the database is closed: one file, without a log."""

import fcntl
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.support.strongroom import Strongroom, prepared, running
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]

SECRETS = 30
ENDINGS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
_SECONDS = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Strongroom]:
    with running(tmp_path) as server:
        create(server, range(SECRETS))
        yield server


def create(server: Strongroom, numbers: range) -> None:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with requests.Session() as session:
        for number in numbers:
            body = {"name": f"NAME_{number}", "value": "a value"}
            answer = session.post(f"{server.url}/v1/secrets", json=body, headers=headers)
            assert answer.ok


def end(server: Strongroom, number: signal.Signals) -> None:
    """End the server with a signal, and wait for all its processes."""
    processes = server.processes()
    server.send(number)
    wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in processes[1:]))
    server.stop()


def files(server: Strongroom) -> set[str]:
    return {path.name for path in server.home.iterdir() if path.name.startswith("strongroom.db")}


def secrets_in_a_copy(server: Strongroom, directory: Path) -> int:
    """The number of secrets in the database file alone."""
    copy = Path(shutil.copy(server.home / "strongroom.db", directory / "copy.db"))
    with closing(sqlite3.connect(copy)) as connection:
        ((number,),) = connection.execute("SELECT count(*) FROM secrets")
    return int(number)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda number: number.name)
def test_a_stopped_server_leaves_one_complete_file(
    server: Strongroom, tmp_path: Path, ending: signal.Signals
) -> None:
    end(server, ending)
    assert files(server) == {"strongroom.db", "strongroom.db.lock"}
    assert secrets_in_a_copy(server, tmp_path) == SECRETS


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda number: number.name)
def test_deleted_ciphertext_is_gone_when_the_server_has_ended(
    server: Strongroom, ending: signal.Signals
) -> None:
    with closing(sqlite3.connect(server.home / "strongroom.db")) as connection:
        ((envelope,),) = connection.execute("SELECT envelope FROM secrets WHERE name = 'NAME_1'")
    headers = {"Authorization": f"Bearer {server.api_key}"}
    assert requests.post(f"{server.url}/v1/secrets/NAME_1/delete", headers=headers, timeout=30).ok
    end(server, ending)
    left = b"".join(path.read_bytes() for path in server.home.iterdir())
    assert envelope[:64] not in left


def test_replaced_workers_leave_the_database_usable_for_new_ones(
    server: Strongroom, tmp_path: Path
) -> None:
    server.reload()
    create(server, range(SECRETS, 2 * SECRETS))
    end(server, signal.SIGTERM)
    assert files(server) == {"strongroom.db", "strongroom.db.lock"}
    assert secrets_in_a_copy(server, tmp_path) == 2 * SECRETS


def test_a_worker_with_a_client_that_does_not_read_closes_within_the_grace(
    tmp_path: Path,
) -> None:
    with running(tmp_path, {"STRONGROOM_WORKERS": "1"}) as server:
        create(server, range(SECRETS))
        with socket.create_connection(("127.0.0.1", int(server.environment["PORT"]))) as idle:
            idle.sendall(b"POST /v1/secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            end(server, signal.SIGTERM)
        assert files(server) == {"strongroom.db", "strongroom.db.lock"}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_that_is_ended_closes_the_database(
    tmp_path: Path, ending: signal.Signals
) -> None:
    server = prepared(tmp_path)
    command = [str(Path(sys.executable).parent / "strongroom"), "account", "create", "a tenant"]
    with (server.home / "strongroom.db.lock").open("rb") as writers_place:
        fcntl.flock(writers_place, fcntl.LOCK_EX)  # so that it waits, with the database open
        with subprocess.Popen(
            command, env=server.environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process:
            wait_until(lambda: "strongroom.db-wal" in files(server))
            process.send_signal(ending)
            assert process.wait(_SECONDS) in {1, 128 + ending}  # not 4, for having waited in vain
    assert files(server) == {"strongroom.db", "strongroom.db.lock"}


def test_a_command_that_fails_closes_the_database(tmp_path: Path) -> None:
    server = prepared(tmp_path)
    assert server.command("account", "set", "acc_none", "--devbox", check=False).returncode == 1
    assert files(server) == {"strongroom.db", "strongroom.db.lock"}
