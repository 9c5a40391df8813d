"""A real server on a PostgreSQL that is frozen."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer, postgresql_server
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow

CLIENTS = 24
LONGEST_S = 10.0


@contextmanager
def serving(
    directory: Path, database: PostgresqlServer, **settings: str
) -> Iterator[tuple[Strongroom, Account]]:
    """A server of one worker on a new database, and an account of it."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "STRONGROOM_HOME": str(directory / "home"),
        "STRONGROOM_DATABASE_URL": database.url(database.create_database()),
        "STRONGROOM_WORKERS": "1",
        "STRONGROOM_LOG_LEVEL": "DEBUG",
        "PORT": str(free_port()),
        **settings,
    }
    server = Strongroom(directory / "home", environment, directory / "server.log")
    server.command("init")
    try:
        server.start()
        with closing(build(load(environment))) as operator:
            account = Account.new(server.url, operator)
        with account:
            yield server, account
    finally:
        server.kill()


def create(account: Account, name: str) -> tuple[int, float]:
    """Create a secret, on a connection of its own. Returns the status and the seconds it took."""
    began = time.monotonic()
    with Account(account.url, account.id, account.api_key_id, account.token) as own:
        status = own.create(name, request_id=name).status_code
    return status, time.monotonic() - began


def create_all(account: Account, stem: str) -> list[tuple[int, float]]:
    with ThreadPoolExecutor(CLIENTS) as threads:
        names = [f"{stem}_{number}" for number in range(CLIENTS)]
        return list(threads.map(lambda name: create(account, name), names))


def is_healthy(server: Strongroom) -> bool:
    return requests.get(f"{server.url}/healthz", timeout=30).ok


@pytest.mark.timeout(300)
def test_a_frozen_database_costs_ten_seconds_at_most_and_nothing_is_lost(tmp_path: Path) -> None:
    with (
        postgresql_server() as database,
        serving(tmp_path, database) as (server, account),
        ThreadPoolExecutor(1) as thread,
    ):
        create_all(account, "WARM")
        database.send(signal.SIGSTOP)
        pending = thread.submit(create_all, account, "FROZEN")
        times_healthy = 0
        while not pending.done():
            assert is_healthy(server)
            times_healthy += 1
        answers = pending.result()
        database.send(signal.SIGCONT)
        server.wait_until_ready()
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < LONGEST_S
        assert times_healthy > CLIENTS
        assert {status for status, _ in create_all(account, "FROZEN")} == {200}
        assert len(account.names()) == 2 * CLIENTS
