"""Reloading and stopping drop nothing that was accepted."""

import fcntl
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from threading import Event

import pytest
import requests

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

_WRITERS = 8
_RELOADS = 3
_DEADLINE_SECONDS = 60.0


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Strongroom]:
    """A server whose log level is in a file, so that it can be changed."""
    level = tmp_path / "level"
    level.write_text("INFO\n")
    with running(tmp_path, {"STRONGROOM_LOG_LEVEL_FILE": str(level)}) as server:
        yield server


@pytest.fixture
def own_account(own_server: Strongroom) -> Iterator[Account]:
    with closing(build(load(own_server.environment))) as services:
        account = Account.new(own_server.url, services)
    with account:
        yield account


def events(server: Strongroom, beginning: str) -> int:
    """The number of log lines with an event of this prefix."""
    lines = map(json.loads, server.log.read_text().splitlines())
    return sum(line["event"].startswith(beginning) for line in lines)


def reload(server: Strongroom) -> None:
    """Reload, and wait until the old workers are gone and the new ones serve."""
    gone = events(server, "Worker exiting")
    server.send(signal.SIGHUP)
    wait_until(lambda: events(server, "Worker exiting") == gone + 2)
    server.wait_until_ready()


def test_reloading_under_load_drops_no_request(
    own_server: Strongroom, own_account: Account
) -> None:
    done, number = Event(), count()

    def write() -> list[tuple[str, int]]:
        written = []
        while not done.is_set():
            name = f"NAME_{next(number)}"
            written.append((name, create_over_a_connection_of_its_own(own_account, name)))
        return written

    with ThreadPoolExecutor(_WRITERS) as pool:
        writers = [pool.submit(write) for _ in range(_WRITERS)]
        for _ in range(_RELOADS):
            reload(own_server)
        done.set()
        written = [each for writer in writers for each in writer.result()]
    assert {status for _, status in written} == {200}
    assert sorted(own_account.names()) == sorted(name for name, _ in written)


def create_over_a_connection_of_its_own(account: Account, name: str) -> int:
    with sent(account, name) as connection:
        return connection.getresponse().status


def sent(account: Account, name: str) -> closing[HTTPConnection]:
    """A request to create a secret, sent and not yet answered."""
    connection = HTTPConnection(account.url.removeprefix("http://"), timeout=30)
    headers = {
        "Authorization": f"Bearer {account.token}",
        "Content-Type": "application/json",
        "Connection": "close",
    }
    body = json.dumps({"name": name, "value": "a value"})
    connection.request("POST", "/v1/secrets", body, headers)
    return closing(connection)


def test_stopping_finishes_accepted_requests(own_server: Strongroom, own_account: Account) -> None:
    with (own_server.home / "strongroom.db.lock").open("rb") as writers_place:
        fcntl.flock(writers_place, fcntl.LOCK_EX)  # so that none is done before the signal
        connections = [sent(own_account, f"NAME_{number}") for number in range(_WRITERS)]
        # Connections are accepted in their order: once this is answered, those were.
        assert requests.get(f"{own_server.url}/healthz", timeout=30).ok
        own_server.send(signal.SIGTERM)
        wait_until(lambda: events(own_server, "Handling signal: term") == 1)
    for each in connections:
        with each as connection:
            assert connection.getresponse().status == 200


def test_a_faulty_change_of_the_settings_does_not_end_the_server(
    own_server: Strongroom, own_account: Account
) -> None:
    Path(own_server.environment["STRONGROOM_LOG_LEVEL_FILE"]).write_text("LOUD\n")
    reload(own_server)
    assert own_account.create("FIRST").status_code == 200
    assert events(own_server, "settings_kept") >= 1


def test_a_change_in_a_file_is_in_force_after_a_reload(
    own_server: Strongroom, own_account: Account
) -> None:
    assert own_account.create("FIRST").status_code == 200
    assert events(own_server, "request") > 0
    Path(own_server.environment["STRONGROOM_LOG_LEVEL_FILE"]).write_text("ERROR\n")
    reload(own_server)
    before = events(own_server, "request")
    assert own_account.create("SECOND").status_code == 200
    assert events(own_server, "request") == before
