"""``strongroom db copy``: a deployment moves to another database, with all that it has."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap import build
from app.domain.access.api_keys import Token
from app.domain.errors import Moved
from app.domain.idempotency import RetryKey
from app.domain.secrets import SecretValue
from app.repository.moving.copying import Copying
from app.repository.moving.sides import Change, Side
from app.services.container import Services
from config import load
from tests.support.audit_rows import plant_audit_rows
from tests.support.deployment import Tenant, child_of, new_tenant, revoke, sweep
from tests.support.gateway.rows import add_gateway_rows
from tests.support.moved_rows import COPIED, engine, moved_rows
from tests.support.postgresql import PostgresqlServer
from tests.support.terminal import Terminal

Place = Callable[[], str]


@pytest.fixture
def new_server(postgresql: PostgresqlServer) -> Iterator[Place]:
    """Makes empty databases on PostgreSQL."""
    made = []

    def make() -> str:
        made.append(postgresql.create_database())
        return postgresql.url(made[-1])

    yield make
    for name in made:
        postgresql.drop_database(name)


@pytest.fixture
def new_file(tmp_path: Path) -> Place:
    """Makes addresses of SQLite files that do not exist yet."""
    numbers = iter(range(100))
    return lambda: f"sqlite:///{tmp_path}/new-{next(numbers)}/strongroom.db"


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def places(request: pytest.FixtureRequest, new_server: Place, new_file: Place) -> tuple[str, str]:
    """The addresses of two databases, one of each kind, in either direction."""
    made = (new_file(), new_server())
    return made if request.param == "to PostgreSQL" else (made[1], made[0])


@pytest.fixture
def source(terminal: Terminal, places: tuple[str, str]) -> str:
    """The address of a deployment in which every table has rows."""
    return fill_place(terminal, places[0])


@pytest.fixture
def target(places: tuple[str, str]) -> str:
    """The address of the database that it moves to."""
    return places[1]


def fill_place(terminal: Terminal, url: str) -> str:
    """Make a deployment in a database. Returns its address."""
    terminal.environ["STRONGROOM_DATABASE_URL"] = url
    (terminal.home / "client.env").unlink(missing_ok=True)
    terminal.answer("init")
    with services(terminal) as running:
        tenant = fill(running)
    with engine(url).begin() as connection:
        plant_audit_rows(connection, tenant.caller.account_id)
    return url


def services(terminal: Terminal, url: str | None = None) -> closing[Services]:
    """The services of a process, on the deployment's database or another one."""
    chosen = {} if url is None else {"STRONGROOM_DATABASE_URL": url}
    return closing(build(load(terminal.environ | chosen)))


def fill(services: Services) -> Tenant:
    """Write rows of each kind, with every optional column, and more than a batch of secrets."""
    tenant = new_tenant(services)
    retry = RetryKey("a request", b"POST of something")
    services.secrets.create(tenant.caller, "FIRST", SecretValue("ä value"), retry)
    for number in range(230):
        tenant.create(f"S{number}", "x" * number)
    tenant.update("S0", "another value")
    tenant.redeem(tenant.inject("FIRST").token, "n" * 22)
    tenant.inject("S1", "S2")
    revoke(child_of(tenant))
    services.api_keys.rotate(tenant.caller.account_id, child_of(tenant).key.id)
    sweep(services)
    add_gateway_rows(services, tenant.caller.account_id, tenant.caller.api_key_id)
    with services.sweep._database.writing() as work:
        work.wrappings.fence("a root key")
        work.switches.turn_off("gateway", 1)
        work.commit()
    return tenant


def copy(terminal: Terminal, source: str, target: str, *more: str) -> Any:
    return terminal.run("db", "copy", "--from", source, "--to", target, *more)


def test_every_row_of_every_table_arrives(terminal: Terminal, source: str, target: str) -> None:
    before = moved_rows(source)
    assert [name for name, found in before.items() if not found] == []
    copied = copy(terminal, source, target)
    assert copied.exit_code == 0, copied.stderr
    assert moved_rows(target) == before
    assert moved_rows(source) == before


def open_injection(services: Services) -> tuple[Tenant, Token]:
    """Make an injection of a new tenant. Returns both."""
    tenant = new_tenant(services)
    tenant.create("A", "a value")
    return tenant, tenant.inject("A").token


@pytest.mark.slow
def test_an_open_injection_is_redeemed_in_the_new_database_only(
    terminal: Terminal, source: str, target: str
) -> None:
    with services(terminal) as before:
        tenant, token = open_injection(before)
        assert copy(terminal, source, target).exit_code == 0
        with services(terminal, target) as after:
            assert tenant.at(after).redeem(token) == {"A": "a value"}
        with pytest.raises(Moved):
            tenant.redeem(token)


def test_nothing_is_written_to_the_source_afterwards(
    terminal: Terminal, source: str, target: str
) -> None:
    with services(terminal) as before:
        tenant = new_tenant(before)
        tenant.create("A")
        assert copy(terminal, source, target).exit_code == 0
        left = moved_rows(source)
        for write in (
            lambda: tenant.create("B"),
            lambda: tenant.update("A", "another value"),
            lambda: tenant.delete("A"),
            lambda: tenant.inject("A"),
            lambda: revoke(tenant),
            lambda: new_tenant(before),
        ):
            with pytest.raises(Moved):
                write()
    assert moved_rows(source) == left


@pytest.mark.slow
def test_a_finished_copy_is_left_as_it_is(terminal: Terminal, source: str, target: str) -> None:
    first = copy(terminal, source, target, "--json")
    with services(terminal, target) as after:
        new_tenant(after).create("NEW")
    left = moved_rows(target)
    assert copy(terminal, source, target, "--json").exit_code == first.exit_code == 0
    assert moved_rows(target) == left


@pytest.mark.slow
def test_the_source_opens_again_while_the_target_is_as_it_was_copied(
    terminal: Terminal, source: str, target: str
) -> None:
    assert copy(terminal, source, target).exit_code == 0
    assert copy(terminal, source, target, "--reopen").exit_code == 0
    with services(terminal) as before:
        new_tenant(before).create("B")
    with services(terminal, target) as after, pytest.raises(Moved):
        new_tenant(after)
    refused = copy(terminal, source, target)
    assert refused.exit_code == 1
    assert "--to: this database is not empty" in refused.stderr


@pytest.mark.slow
def test_the_source_stays_closed_once_the_target_has_served(
    terminal: Terminal, source: str, target: str
) -> None:
    with services(terminal) as before:
        tenant, token = open_injection(before)
    assert copy(terminal, source, target).exit_code == 0
    with services(terminal, target) as after:
        tenant.at(after).redeem(token)
    refused = copy(terminal, source, target, "--reopen")
    assert refused.exit_code == 1
    assert "this database has served" in refused.stderr
    with services(terminal) as before, pytest.raises(Moved):
        tenant.at(before).redeem(token)
    with services(terminal, target) as after:
        tenant.at(after).create("B")


@pytest.mark.slow
def test_a_closed_source_is_copied_to_its_target_alone(
    terminal: Terminal, source: str, target: str, new_file: Place
) -> None:
    assert copy(terminal, source, target).exit_code == 0
    other = new_file()
    for more in ((), ("--reopen",)):
        refused = copy(terminal, source, other, *more)
        assert refused.exit_code == 1
        assert "was closed for another target" in refused.stderr


@pytest.mark.slow
def test_check_and_init_refuse_a_database_of_before(
    terminal: Terminal, source: str, target: str
) -> None:
    assert copy(terminal, source, target).exit_code == 0
    for command, code in (("check", 1), ("init", 3)):
        refused = terminal.run(command)
        assert refused.exit_code == code
        assert "was moved to another database" in refused.stderr


@pytest.mark.slow
def test_a_password_on_the_command_line_is_refused(
    terminal: Terminal, postgresql: PostgresqlServer
) -> None:
    url = postgresql.url("anything", password="hunter2")
    for options in (("--from", url, "--to", "sqlite:///x"), ("--from", "sqlite:///x", "--to", url)):
        refused = terminal.run("db", "copy", *options)
        assert refused.exit_code == 3
        assert "every user of this machine can see" in refused.stderr
        assert "hunter2" not in refused.output


@pytest.mark.slow
def test_a_copy_goes_on_after_a_stop_at_each_of_its_transactions(
    terminal: Terminal, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = moved_rows(source)
    change = Side.change
    stops = 0

    def stopped_once_committed(side: Side, work: Callable[[Change], object]) -> None:
        change(side, work)
        raise KeyboardInterrupt

    while True:
        with monkeypatch.context() as stopping:
            stopping.setattr(Side, "change", stopped_once_committed)
            stopped = copy(terminal, source, target)
        if stopped.exit_code == 0:
            break
        assert stopped.exit_code == 130
        stops += 1
    assert stops > len(COPIED), "a transaction for each table, and those that close and open"
    assert moved_rows(target) == before


DAMAGES = {
    "no UTF-8": "UPDATE secrets SET name = CAST(X'ff41' AS TEXT) WHERE name = 'S7'",
    "NUL": "UPDATE secrets SET name = 'A' || char(0) WHERE name = 'S7'",
    "no name": "UPDATE secrets SET name = '' WHERE name = 'S7'",
    "a short MAC": "UPDATE secrets SET mac = X'00' WHERE name = 'S7'",
    "no data key": "UPDATE secrets SET data_key_id = 'gone' WHERE name = 'S7'",
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_row_is_named_and_left_behind_on_request(
    terminal: Terminal, new_server: Place, new_file: Place, damage: str
) -> None:
    url, target = fill_place(terminal, new_file()), new_server()
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        ((row_id,),) = connection.execute("SELECT id FROM secrets WHERE name = 'S7'")
        for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(damage)
    refused = copy(terminal, url, target)
    assert refused.exit_code == 5
    assert f"the row {row_id} of secrets" in refused.stderr
    done = copy(terminal, url, target, "--skip-damaged", "--json")
    assert done.exit_code == 0, done.stderr
    assert [each["id"] for each in json.loads(done.stdout)["damaged"]] == [row_id]
    with closing(sqlite3.connect(path)) as before:
        everything = before.execute("SELECT id FROM secrets ORDER BY id").fetchall()
    with engine(target).connect() as after:
        stored = after.exec_driver_sql("SELECT id FROM secrets ORDER BY id").fetchall()
    assert [tuple(each) for each in stored] == [each for each in everything if each != (row_id,)]


@pytest.mark.slow
def test_a_row_that_was_changed_in_the_unfinished_copy_is_named(
    terminal: Terminal, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr(Copying, "verify", stop)
        assert copy(terminal, source, target).exit_code == 130
    with engine(target).begin() as connection:
        changed = "UPDATE secrets SET version = 7 WHERE name = 'S7'"
        connection.exec_driver_sql(changed)
        query = "SELECT id FROM secrets WHERE name = 'S7'"
        ((row_id,),) = connection.exec_driver_sql(query)
    refused = copy(terminal, source, target)
    assert refused.exit_code == 5
    assert f"the row {row_id} of secrets" in refused.stderr
    refused = terminal.run("init", STRONGROOM_DATABASE_URL=target)
    assert (refused.exit_code, "unfinished copy" in refused.stderr) == (1, True)


@pytest.mark.slow
def test_a_database_with_rows_is_no_target(
    terminal: Terminal, source: str, target: str, new_file: Place
) -> None:
    other = fill_place(terminal, new_file())
    refused = copy(terminal, source, other)
    assert refused.exit_code == 1
    assert "--to: this database is not empty" in refused.stderr
    with services(terminal, source) as before:
        new_tenant(before).create("STILL_OPEN")


@pytest.mark.slow
def test_an_address_in_a_private_file_may_have_a_password(
    terminal: Terminal, source: str, target: str, tmp_path: Path
) -> None:
    file = tmp_path / "address"
    file.touch(0o644)
    file.write_text(f"{target}\n")
    arguments = ("db", "copy", "--from", source, "--to-file", str(file))
    refused = terminal.run(*arguments)
    assert refused.exit_code == 3
    assert refused.stderr.startswith("strongroom: --to-file: the file must be of mode 0600")
    file.chmod(0o600)
    assert terminal.run(*arguments).exit_code == 0


WRONG = {
    "nothing listens": "postgresql://nobody@127.0.0.1:1/nothing",
    "no such scheme": "mysql://127.0.0.1/nothing",
    "no verified TLS": "postgresql://nobody@db.example/nothing",
}


@pytest.mark.slow
@pytest.mark.parametrize("url", WRONG.values(), ids=WRONG)
def test_a_wrong_address_is_refused_by_its_option_and_closes_nothing(
    terminal: Terminal, new_file: Place, url: str
) -> None:
    source = fill_place(terminal, new_file())
    refused = copy(terminal, source, url)
    assert refused.exit_code == 3
    assert refused.stderr.startswith("strongroom: --to")
    assert "nothing" not in refused.stderr.replace("nothing listens", "")
    with services(terminal, source) as before:
        new_tenant(before).create("STILL_OPEN")


@pytest.mark.slow
def test_a_user_who_does_not_own_the_tables_closes_nothing(
    terminal: Terminal, postgresql: PostgresqlServer, new_server: Place, new_file: Place
) -> None:
    source = fill_place(terminal, new_server())
    name = source.rpartition("/")[2]
    guest = f"guest_{name}"
    postgresql.execute(f"CREATE ROLE {guest} LOGIN")
    for right in ("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "ALL ON ALL FUNCTIONS"):
        postgresql.execute(f"GRANT {right} IN SCHEMA public TO {guest}", database=name)
    refused = copy(terminal, postgresql.url(name, user=guest), new_file())
    assert refused.exit_code == 4
    assert "--from: the database does not permit this to the user" in refused.stderr
    with services(terminal, source) as before:
        new_tenant(before).create("STILL_OPEN")


@pytest.mark.slow
def test_an_unfinished_copy_is_given_up(
    terminal: Terminal, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr(Copying, "verify", stop)
        assert copy(terminal, source, target).exit_code == 130
    assert copy(terminal, source, target, "--reopen").exit_code == 0
    with services(terminal, source) as before:
        new_tenant(before).create("STILL_OPEN")
    assert copy(terminal, source, target).exit_code == 1
    assert terminal.run("init", STRONGROOM_DATABASE_URL=target).exit_code == 3
