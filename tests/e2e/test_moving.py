"""A deployment moves to another database while its servers serve, and while the copy is killed."""

import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Event

import psycopg
import pytest
import requests
from runloop_api_client import Runloop

from app.repository.connect import connect
from tests.support.javascript import JavaScript
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.preloaded import start_command
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

WRITERS = 6
KILLS = 5
SECRETS, ALL_SECRETS = 3_000, 100_000
_COLUMNS = "account_id, id, name, version, create_time_ms, update_time_ms, data_key_id"

# Each batch takes long enough for it to be met in the middle, on any machine.
_SLOW = """
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.03); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER UPDATE ON moves FOR EACH STATEMENT EXECUTE FUNCTION pause();
"""


Place = Callable[[str], str]
"""Makes the address of an empty database of a kind."""


@pytest.fixture
def place(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[Place]:
    made: list[str] = []

    def make(kind: str) -> str:
        if kind == "SQLite":
            return f"sqlite:///{tmp_path}/{kind}-{len(list(tmp_path.iterdir()))}/strongroom.db"
        made.append(postgresql.create_database())
        return postgresql.url(made[-1])

    yield make
    for name in made:
        postgresql.drop_database(name)


@pytest.fixture(params=["SQLite to PostgreSQL"])
def kinds(request: pytest.FixtureRequest) -> list[str]:
    """The kinds of the two databases."""
    return str(request.param).split(" to ")


@pytest.fixture
def before(kinds: list[str], place: Place, tmp_path: Path) -> Iterator[Strongroom]:
    """A deployment on the one database, not started."""
    environment = {
        "STRONGROOM_HOME": f"{tmp_path}/home",
        "STRONGROOM_DATABASE_URL": place(kinds[0]),
        "PORT": str(free_port()),
    }
    server = Strongroom(tmp_path / "home", environment, tmp_path / "before.log")
    server.command("init")
    yield server
    server.kill()


@pytest.fixture
def new(kinds: list[str], place: Place) -> str:
    """The address of the other database, which is empty."""
    return place(kinds[1])


@pytest.fixture
def after(before: Strongroom, new: str, tmp_path: Path) -> Iterator[Strongroom]:
    """The same deployment on the new database, not started."""
    environment = {**before.environment, "STRONGROOM_DATABASE_URL": new}
    server = Strongroom(before.home, environment, tmp_path / "after.log")
    yield server
    server.kill()


def copy_arguments(before: Strongroom, new: str) -> tuple[str, ...]:
    return ("db", "copy", "--from", before.environment["STRONGROOM_DATABASE_URL"], "--to", new)


def write_until_refused(url: str, api_key: str, writer: int, has_begun: Event) -> list[str]:
    """Create secrets until the server refuses. Returns the names that were acknowledged."""
    acknowledged: list[str] = []
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {api_key}"
        while True:
            name = f"W{writer}_{len(acknowledged)}"
            body = {"name": name, "value": name.lower()}
            answered = session.post(f"{url}/v1/secrets", json=body, timeout=30)
            if answered.status_code == 503:
                assert answered.json()["code"] == "moved"
                return acknowledged
            assert answered.ok, answered.text
            acknowledged.append(name)
            if len(acknowledged) == 5:
                has_begun.set()


@pytest.mark.parametrize(
    "kinds",
    ["SQLite to PostgreSQL", "PostgreSQL to PostgreSQL", "PostgreSQL to SQLite"],
    indirect=True,
)
def test_what_was_acknowledged_is_in_the_new_database_and_nothing_later(
    before: Strongroom, after: Strongroom, new: str, javascript: JavaScript
) -> None:
    before.start()
    tokens = {state: issue(before) for state in ("redeemed before", "open")}
    assert redeem(before, tokens["redeemed before"]).ok
    begun = [Event() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [
            pool.submit(write_until_refused, before.url, before.api_key, number, event)
            for number, event in enumerate(begun)
        ]
        assert all(event.wait(60) for event in begun)
        before.command(*copy_arguments(before, new))
        acknowledged = [name for each in writing for name in each.result()]

    reading = {"Authorization": f"Bearer {before.api_key}"}
    refused = [
        requests.get(f"{before.url}/v1/secrets", headers=reading, timeout=30),
        redeem(before, tokens["open"]),
    ]
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(503, "moved")] * 2
    assert not requests.get(f"{before.url}/readyz", timeout=30).ok
    before.kill()

    after.start()
    with Runloop(bearer_token=after.api_key, base_url=after.url) as client:
        listed = [each.name for each in client.secrets.list(limit=5000).secrets]
        assert sorted(listed) == sorted(["FIRST", *acknowledged])
        client.secrets.update(acknowledged[0], value="another value")
        client.secrets.create(name="LATER", value="a later value")
    assert redeem(after, tokens["open"]).json()["environment"] == {"FIRST": "a value"}
    assert not redeem(after, tokens["open"]).ok
    assert not redeem(after, tokens["redeemed before"]).ok
    assert_a_deployment_serves(javascript, after)


def assert_a_deployment_serves(javascript: JavaScript, server: Strongroom) -> None:
    """Let the JavaScript client create, list, update and delete with the API key of before."""
    done = javascript.run("secrets.mjs", environ=server.client_environment)
    answers = json.loads(done.stdout)
    assert answers["created"]["status"] == 400, "FIRST was copied"
    assert answers["updated"]["id"] == answers["second"]["id"]
    assert answers["deleted"] == answers["third"]
    assert answers["left"]["secrets"][0]["name"] == "LATER"


def issue(server: Strongroom) -> str:
    """The token of an injection of the secret ``FIRST``."""
    sent = {"Authorization": f"Bearer {server.api_key}"}
    secret = {"name": "FIRST", "value": "a value"}
    requests.post(f"{server.url}/v1/secrets", json=secret, headers=sent, timeout=30)
    wanted = {"secrets": {"FIRST": "FIRST"}}
    answered = requests.post(f"{server.url}/v1/injections", json=wanted, headers=sent, timeout=30)
    token: str = answered.json()["token"]
    return token


def redeem(server: Strongroom, token: str) -> requests.Response:
    sent = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{server.url}/v1/injections/redeem", json={}, headers=sent, timeout=30)


def test_a_copy_that_is_killed_goes_on_and_ends_equal(
    before: Strongroom, after: Strongroom, new: str, tmp_path: Path, proving: bool
) -> None:
    before.start()
    issue(before)
    before.stop()
    secrets = ALL_SECRETS if proving else SECRETS
    path = Path(before.environment["STRONGROOM_DATABASE_URL"].removeprefix("sqlite:///"))
    multiply_secrets(path, secrets)
    with closing(connect(new)) as database:
        database.upgrade()
    with psycopg.connect(new, autocommit=True) as target:
        target.execute(_SLOW)
        seen = {""}
        for _ in range(KILLS):
            output = tmp_path / "killed"
            copying = start_command(copy_arguments(before, new), before.environment, output, output)
            wait_until(lambda: position(target) not in seen)
            copying.send_signal(signal.SIGKILL)
            assert copying.wait(60) != 0
            seen.add(position(target))
        target.execute("DROP TRIGGER slow ON moves")
        done = before.command(*copy_arguments(before, new))
        assert "The new database is open." in done.stdout
        assert len(seen) == KILLS + 1
        copied = target.execute(f"SELECT {_COLUMNS}, mac, envelope FROM secrets ORDER BY id")
        with closing(sqlite3.connect(path)) as source:
            stored = source.execute(f"SELECT {_COLUMNS}, mac, envelope FROM secrets ORDER BY id")
            assert copied.fetchall() == stored.fetchall()
    after.start()
    with Runloop(bearer_token=after.api_key, base_url=after.url) as client:
        assert client.secrets.retrieve("FIRST").name == "FIRST"


def position(target: "psycopg.Connection[tuple[str]]") -> str:
    """The note of the last row that was copied."""
    with suppress(psycopg.errors.UndefinedTable):
        rows = target.execute("SELECT position FROM moves").fetchall()
        return rows[0][0] if rows else ""
    return ""


def multiply_secrets(path: Path, number: int) -> None:
    """Store as many rows like that of the only secret, as a thief of the file could."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO secrets SELECT account_id, printf('sec_%022d', i), 'N' || i, version, "
            "create_time_ms, update_time_ms, data_key_id, mac_key_id, mac, "
            "CAST(envelope || i AS BLOB) FROM secrets, n",
            (number - 1,),
        )
