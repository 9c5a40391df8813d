"""Migrations across nodes: one at a time, and never in the way of others for long."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.abc import PQGen

from app.cli.private_files import create
from app.repository.base import DatabaseMisconfigured
from app.repository.connect import connect
from app.repository.postgresql import migrating
from app.repository.postgresql.address import Address, parse_address
from app.repository.postgresql.connections import (
    MIGRATING_S,
    BoundedConnection,
    connect_to_migrate,
)
from app.repository.postgresql.database import PostgresqlDatabase
from backends.local_fernet import new_key_file
from tests.support.faulty_proxy import FaultyProxy
from tests.support.held_server import HeldServer, Hold
from tests.support.postgresql import PostgresqlServer
from tests.support.waiting import wait_until


@pytest.fixture
def empty(postgresql: PostgresqlServer) -> Iterator[str]:
    """The name of a database without any table."""
    name = postgresql.create_database()
    yield name
    postgresql.drop_database(name)


@contextmanager
def holding(server: PostgresqlServer, name: str, sql: str) -> Iterator[psycopg.Connection[object]]:
    """Another transaction, in which a statement was run."""
    with closing(psycopg.connect(server.url(name))) as connection:
        connection.execute(sql.encode())
        yield connection


def upgrade(url: str) -> None:
    with closing(connect(url)) as database:
        database.upgrade()


def is_waiting(server: PostgresqlServer, name: str) -> bool:
    """Return True if a session of the database waits for a lock."""
    ((number,),) = server.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
        name,
    )
    return bool(number)


def test_threads_that_upgrade_at_once_make_one_schema(
    postgresql: PostgresqlServer, empty: str
) -> None:
    url = postgresql.url(empty)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upgrade, [url] * 8))
    with closing(connect(url)) as database:
        assert database.check().faults == []


def test_nodes_that_are_initialised_at_once_make_one_deployment(
    postgresql: PostgresqlServer, empty: str, tmp_path: Path
) -> None:
    key = new_key_file()
    nodes = []
    for number in range(2):
        home = tmp_path / f"node-{number}"
        home.mkdir(mode=0o700)
        create(home / "keys", key)
        environ = {"STRONGROOM_HOME": str(home), "STRONGROOM_DATABASE_URL": postgresql.url(empty)}
        command = [sys.executable, "-c", "from app.cli.main import main; main()", "init"]
        nodes.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE))
    printed = [node.communicate(timeout=60)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0]
    assert any(b"RUNLOOP_API_KEY" in each for each in printed)
    rows = "SELECT count(*) FROM {}"
    for table in ("deployment", "accounts", "data_keys"):
        assert postgresql.execute(rows.format(table), database=empty) == [(1,)]


def test_the_second_node_waits_before_it_looks_at_the_version(
    postgresql: PostgresqlServer, empty: str
) -> None:
    url = postgresql.url(empty)
    with holding(postgresql, empty, migrating._ONE_AT_A_TIME) as first:
        second = threading.Thread(target=upgrade, args=[url])
        second.start()
        wait_until(lambda: is_waiting(postgresql, empty))
        tables = "SELECT count(*) FROM pg_class WHERE relname = 'alembic_version'"
        assert postgresql.execute(tables, database=empty) == [(0,)]
        first.rollback()
        second.join()
    with closing(connect(url)) as database:
        assert database.check().faults == []


def test_a_migration_that_waits_for_a_table_gives_way_and_tries_again(
    postgresql: PostgresqlServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "connect_to_migrate", impatient)
    attempts = []
    migrate = migrating._try_upgrade

    def counted(address: Address) -> str | None:
        attempts.append(migrate(address))
        if len(attempts) == 2:
            reader.rollback()
        return attempts[-1]

    monkeypatch.setattr(migrating, "_try_upgrade", counted)
    postgresql.execute("DROP TABLE leases", database=name)
    postgresql.execute("DELETE FROM alembic_version", database=name)
    with (
        holding(postgresql, name, "LOCK TABLE alembic_version") as reader,
        pytest.raises(DatabaseMisconfigured),  # the tables are there already
    ):
        upgrade(postgresql.url(name))
    assert attempts[:2] == ["55P03", "55P03"]
    assert attempts[-1] == "42P07"


def test_a_migration_that_waited_for_a_minute_says_so(
    postgresql: PostgresqlServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "connect_to_migrate", impatient)
    monkeypatch.setattr(migrating, "PATIENCE_S", 0.0)
    with (
        holding(postgresql, name, "LOCK TABLE alembic_version"),
        pytest.raises(DatabaseMisconfigured) as caught,
    ):
        upgrade(postgresql.url(name))
    assert str(caught.value) == (
        "STRONGROOM_DATABASE_URL: the tables are locked by other transactions; end them, and run "
        "it again. Nothing was changed."
    )


def impatient(address: Address) -> psycopg.Connection[object]:
    """A connection whose locks are waited for a moment only."""
    connection = connect_to_migrate(address)
    connection.execute("SET lock_timeout = '50ms'")
    connection.commit()
    return connection


def test_a_lock_is_waited_for_three_seconds(database: PostgresqlDatabase) -> None:
    with closing(connect_to_migrate(database._migration_address)) as connection:
        assert connection.execute("SHOW lock_timeout").fetchone() == ("3s",)
        assert connection.execute("SHOW statement_timeout").fetchone() == ("10min",)


def test_the_server_ends_a_statement_of_a_migration_that_takes_too_long(
    postgresql: PostgresqlServer, empty: str
) -> None:
    with (
        closing(connect_to_migrate(parse_address(postgresql.url(empty)), 1)) as connection,
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        connection.execute("SELECT pg_sleep(60)")


def test_a_migration_on_a_server_that_never_answers_ends(
    postgresql: PostgresqlServer, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = FaultyProxy(f"127.0.0.1:{postgresql.port}"), HeldServer()

    def held(address: Address) -> BoundedConnection:
        connection = connect_to_migrate(address)
        assert connection.wait_s > MIGRATING_S
        connection.wait_s = 0.5
        server.arm(3, Hold.SILENT)
        return connection

    monkeypatch.setattr(migrating, "connect_to_migrate", held)
    url = f"postgresql://strongroom@{proxy.host}/{empty}"
    with (
        closing(proxy),
        proxy.failing(server),
        pytest.raises(DatabaseMisconfigured, match="run it again"),
    ):
        upgrade(url)


def test_a_failed_migration_changes_nothing(postgresql: PostgresqlServer, empty: str) -> None:
    postgresql.execute("CREATE TABLE usage (x int)", database=empty)  # in the way of the last ones
    with pytest.raises(DatabaseMisconfigured, match="SQLSTATE 42P07"):
        upgrade(postgresql.url(empty))
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert postgresql.execute(tables, database=empty) == [("usage",)]


def test_a_migration_of_a_server_that_is_away_names_the_setting(
    postgresql: PostgresqlServer, empty: str
) -> None:
    with pytest.raises(DatabaseMisconfigured, match="no such database") as caught:
        upgrade(postgresql.url("unknown"))
    assert caught.value.__context__ is None
    assert str(caught.value).startswith("STRONGROOM_DATABASE_URL: ")


def test_a_connection_outlives_a_batch_in_which_a_row_is_refused(
    postgresql: PostgresqlServer, empty: str
) -> None:
    """The driver says of what was left of the batch that it was passed over."""

    def passed_over() -> PQGen[None]:
        yield from ()
        raise psycopg.errors.PipelineAborted

    with closing(connect_to_migrate(parse_address(postgresql.url(empty)))) as connection:
        with pytest.raises(psycopg.errors.PipelineAborted):
            connection.wait(passed_over())
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
