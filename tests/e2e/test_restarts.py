"""Reloading and stopping drop nothing that was accepted."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import pytest
import requests

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support import databases
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_WRITERS = 8
_SECRETS_A_WRITER = 50
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
    return sum(line["event"].startswith(beginning) for line in server.log_lines())


def test_reloading_under_load_drops_no_request(
    own_server: Strongroom, own_account: Account
) -> None:
    done = Event()

    def write(writer: int) -> tuple[list[str], list[int]]:
        """Create secrets, then go on by replacing the value of the last one."""
        made = [f"OF_{writer}_{number}" for number in range(_SECRETS_A_WRITER)]
        created: list[str] = []
        statuses: list[int] = []
        while not done.is_set():
            if len(created) < len(made):
                created.append(made[len(created)])
                request = sent(own_account, created[-1])
            else:
                request = sent(own_account, created[-1], replacing=True)
            with request as connection:
                statuses.append(connection.getresponse().status)
        return created, statuses

    with ThreadPoolExecutor(_WRITERS) as pool:
        writers = [pool.submit(write, number) for number in range(_WRITERS)]
        try:
            for _ in range(_RELOADS):
                own_server.reload()
        finally:
            done.set()
        written = [writer.result() for writer in writers]
    assert {status for _, statuses in written for status in statuses} == {200}
    assert sorted(own_account.names()) == sorted(name for names, _ in written for name in names)


def sent(account: Account, name: str, *, replacing: bool = False) -> closing[HTTPConnection]:
    """A request to create a secret or replace its value, over a connection of its own."""
    connection = HTTPConnection(account.url.removeprefix("http://"), timeout=30)
    headers = {
        "Authorization": f"Bearer {account.token}",
        "Content-Type": "application/json",
        "Connection": "close",
    }
    path, body = "/v1/secrets", {"name": name, "value": "a value"}
    if replacing:
        path, body = f"/v1/secrets/{name}", {"value": "another"}
    connection.request("POST", path, json.dumps(body), headers)
    return closing(connection)


def test_stopping_finishes_accepted_requests(own_server: Strongroom, own_account: Account) -> None:
    with databases.chosen.no_writer(own_server.home):  # so that none is done before the signal
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
    own_server.reload()
    assert own_account.create("FIRST").status_code == 200
    assert events(own_server, "settings_kept") >= 1


def test_a_change_in_a_file_is_in_force_after_a_reload(
    own_server: Strongroom, own_account: Account
) -> None:
    assert own_account.create("FIRST").status_code == 200
    own_server.logged("event", ["request"])
    Path(own_server.environment["STRONGROOM_LOG_LEVEL_FILE"]).write_text("ERROR\n")
    own_server.reload()
    before = events(own_server, "request")
    assert own_account.create("SECOND").status_code == 200
    assert events(own_server, "request") == before
