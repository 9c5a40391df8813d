"""The check of a PostgreSQL server: it names the setting and the way out, and nothing else."""

import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.domain.operations.findings import Findings
from app.repository.connect import connect
from app.repository.postgresql.options import ServerOptions
from tests.support.ports import free_port
from tests.support.postgresql import postgresql_server
from tests.support.secure_postgresql import (
    PASSWORD,
    SecureServer,
    secure_postgresql_server,
)

SERVER = "few_rights"
"""The role that serves in these tests."""


@pytest.fixture(scope="module")
def secure() -> Iterator[SecureServer]:
    """A server with TLS and SCRAM, and a role that owns nothing."""
    with secure_postgresql_server() as server:
        server.create_role(SERVER)
        server.create_role("owner_of_tables")
        server.create_role("asked_in_clear")
        yield server


@pytest.fixture(scope="module")
def database(secure: SecureServer) -> str:
    """A migrated database, whose tables the role that serves may read and write."""
    name = secure.server.create_database()
    secure.server.execute(f'ALTER DATABASE "{name}" OWNER TO owner_of_tables')
    with closing(connect(secure.url(name, "owner_of_tables"))) as made:
        made.upgrade()
    grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {SERVER}"
    secure.server.execute(grant, database=name)
    return name


def check(url: str, options: ServerOptions | None = None) -> Findings:
    with closing(connect(url, options or ServerOptions())) as database:
        return database.check()


def fault_of(url: str) -> str:
    (fault,) = check(url).faults
    assert fault.startswith("STRONGROOM_DATABASE_URL: ")
    return fault


@contextmanager
def changed(secure: SecureServer, do: str, undo: str, database: str = "postgres") -> Iterator[None]:
    """Run a statement as the superuser, and another at the end of the block."""
    secure.server.execute(do, database=database)
    try:
        yield
    finally:
        secure.server.execute(undo, database=database)


def test_a_server_that_is_as_it_should_be_has_no_fault(secure: SecureServer, database: str) -> None:
    found = check(secure.url(database, SERVER))
    assert found.faults == []
    facts = dict(found.looked_at)
    assert facts["database"].endswith(", TLS")
    assert facts["database connections"] == (
        "2 * 1 workers * 8 + 10 = 26 connections for each node, 197 permitted"
    )


@contextmanager
def live_workers(secure: SecureServer, database: str, *nodes: str) -> Iterator[None]:
    """Heartbeats of these workers, just now."""
    now = "extract(epoch FROM clock_timestamp()) * 1000"
    heartbeat = (
        "INSERT INTO workers (id, node, key_refs, opened_by, fence_generation, started_at_ms, "
        f"seen_at_ms) VALUES (%s, %s, '[]', '[]', 0, {now}, {now})"
    )
    for node in nodes:
        secure.server.execute(heartbeat, f"wrk_{node}", node, database=database)
    try:
        yield
    finally:
        secure.server.execute("DELETE FROM workers", database=database)


def test_the_live_workers_of_all_nodes_are_counted(secure: SecureServer, database: str) -> None:
    with live_workers(secure, database, "a/1", "a/2", "b/1"):
        found = check(secure.url(database, SERVER), ServerOptions(workers=2))
    assert dict(found.looked_at)["database connections of all nodes"] == (
        "2 * 5 workers * 8 + 10 = 90 connections, 197 permitted"
    )
    assert (found.faults, warnings_of_connections(found)) == ([], [])


def test_the_workers_of_this_machine_are_counted_once(secure: SecureServer, database: str) -> None:
    host = socket.gethostname()
    with live_workers(secure, database, f"{host}/1", f"{host}/2"):
        found = check(secure.url(database, SERVER), ServerOptions(workers=2))
    assert "database connections of all nodes" not in dict(found.looked_at)


def test_a_worker_that_was_silent_for_long_is_not_counted(
    secure: SecureServer, database: str
) -> None:
    with live_workers(secure, database, "a/1"):
        secure.server.execute(
            "UPDATE workers SET seen_at_ms = seen_at_ms - 61000", database=database
        )
        found = check(secure.url(database, SERVER))
    assert "database connections of all nodes" not in dict(found.looked_at)


def test_more_workers_than_the_server_has_connections_for_are_warned_of(
    secure: SecureServer, database: str
) -> None:
    with live_workers(secure, database, *(f"a/{number}" for number in range(20))):
        found = check(secure.url(database, SERVER))
    (warning,) = warnings_of_connections(found)
    assert "2 * 21 workers * 8 + 10 = 346 connections" in warning
    assert found.faults == []


def warnings_of_connections(found: Findings) -> list[str]:
    return [each for each in found.warnings if each.startswith("STRONGROOM_DATABASE_CONNECTIONS")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"password": "wrong"}, "refuses the user or the password"),
        ({"user": "unknown"}, "refuses the user or the password"),
        ({"password": None}, "asks for a password"),
        ({"database": "unknown"}, "no such database"),
        ({"host": "localhost"}, "another name"),
        ({"sslrootcert": "OTHER"}, "not signed by the authority"),
        ({"sslmode": "disable"}, "pg_hba.conf"),
        ({"user": "postgres"}, "by SCRAM"),
        ({"user": "asked_in_clear"}, "by SCRAM"),
    ],
)
def test_a_connection_that_is_refused_names_the_part_that_is_wrong(
    secure: SecureServer, database: str, change: dict[str, str], sentence: str
) -> None:
    if change.get("sslrootcert"):
        change = {"sslrootcert": str(secure.other_ca_file)}
    given = {"database": database, "user": SERVER, **change}
    said = fault_of(secure.url(**given))
    assert sentence in said
    assert PASSWORD not in said
    assert given["user"] not in said
    assert database not in said
    assert "127.0.0.1" not in said


def test_nothing_listening_is_a_fault_of_the_host_and_port() -> None:
    assert "nothing listens" in fault_of(f"postgresql://u@127.0.0.1:{free_port()}/d")


def test_a_name_that_is_not_resolved_is_a_fault(secure: SecureServer) -> None:
    said = fault_of(f"postgresql://u@unknown.invalid/d?sslrootcert={secure.ca_file}")
    assert "cannot be resolved" in said
    assert "unknown.invalid" not in said


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"])
def test_a_file_that_others_may_write_is_a_fault(
    secure: SecureServer, database: str, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(secure.ca_file.read_bytes())
    file.chmod(0o666)
    faults = check(f"{secure.url(database, SERVER)}&{name}={file}").faults
    assert faults[0].startswith(f"STRONGROOM_DATABASE_URL: {name}= the file must ")


def test_a_password_may_come_from_a_file(
    secure: SecureServer, database: str, tmp_path: Path
) -> None:
    file = password_file(secure, tmp_path)
    assert check(secure.url(database, SERVER, None, passfile=file)).faults == []


def test_a_password_may_come_from_the_file_that_libpq_finds(
    secure: SecureServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(password_file(secure, tmp_path)))
    assert check(secure.url(database, SERVER, None)).faults == []


def password_file(secure: SecureServer, directory: Path) -> Path:
    file = directory / "pgpass"
    file.write_text(f"*:*:*:{SERVER}:{PASSWORD}\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("lock_timeout = '1h'", None),
        ("standard_conforming_strings = off", "standard_conforming_strings is off"),
    ],
)
def test_settings_of_the_role_count_only_where_ours_leave_them(
    secure: SecureServer, database: str, setting: str, sentence: str | None
) -> None:
    name = setting.partition(" ")[0]
    do, undo = (f"ALTER ROLE {SERVER} {verb}" for verb in (f"SET {setting}", f"RESET {name}"))
    with changed(secure, do, undo):
        faults = check(secure.url(database, SERVER)).faults
    assert [sentence in fault for fault in faults if sentence] == ([True] if sentence else [])
    assert bool(faults) == bool(sentence)


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS", "REPLICATION", "CREATEROLE"])
def test_a_role_that_may_too_much_is_a_fault(
    secure: SecureServer, database: str, attribute: str
) -> None:
    do, undo = (f"ALTER ROLE {SERVER} {each}" for each in (attribute, f"NO{attribute}"))
    with changed(secure, do, undo):
        assert attribute in fault_of(secure.url(database, SERVER))


def test_a_role_that_owns_the_tables_is_a_warning(secure: SecureServer, database: str) -> None:
    found = check(secure.url(database, "owner_of_tables"))
    assert found.faults == []
    assert any("may change the tables" in warning for warning in found.warnings)


def test_a_right_that_is_missing_is_named(secure: SecureServer, database: str) -> None:
    do, undo = (
        f"{verb} {SERVER}"
        for verb in ("REVOKE INSERT ON secrets FROM", "GRANT INSERT ON secrets TO")
    )
    with changed(secure, do, undo, database):
        assert "the user lacks INSERT on secrets" in fault_of(secure.url(database, SERVER))


def test_a_schema_that_may_not_be_read_is_a_fault(secure: SecureServer, database: str) -> None:
    table = "TABLE alembic_version"
    do, undo = (
        f"{verb} {SERVER}"
        for verb in (f"REVOKE SELECT ON {table} FROM", f"GRANT SELECT ON {table} TO")
    )
    with changed(secure, do, undo, database):
        assert "42501" in fault_of(secure.url(database, SERVER))


def test_a_database_without_tables_is_a_fault(secure: SecureServer) -> None:
    empty = secure.server.create_database()
    assert "run: strongroom db upgrade" in fault_of(secure.url(empty, SERVER))


def test_a_database_of_another_encoding_is_a_fault(secure: SecureServer) -> None:
    secure.server.execute(
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    faults = check(secure.url("latin", SERVER)).faults
    assert "UTF8" in faults[0]


def test_too_few_connections_for_the_workers_are_a_fault(
    secure: SecureServer, database: str
) -> None:
    options = ServerOptions(connections=25, workers=4)
    (fault,) = check(secure.url(database, SERVER), options).faults
    assert fault.startswith("STRONGROOM_DATABASE_CONNECTIONS: ")
    assert "2 * 4 workers * 25 + 10 = 210 connections" in fault
    assert "permits 197" in fault


def test_the_limit_of_the_role_counts_too(secure: SecureServer, database: str) -> None:
    do, undo = (f"ALTER ROLE {SERVER} CONNECTION LIMIT {limit}" for limit in (20, -1))
    with changed(secure, do, undo):
        (fault,) = check(secure.url(database, SERVER)).faults
    assert "permits 20" in fault


def test_a_limit_that_is_reached_is_a_fault(secure: SecureServer, database: str) -> None:
    do, undo = (f"ALTER ROLE {SERVER} CONNECTION LIMIT {limit}" for limit in (0, -1))
    with changed(secure, do, undo):
        assert "no connection free" in fault_of(secure.url(database, SERVER))


def test_a_server_without_a_standby_is_a_warning(secure: SecureServer, database: str) -> None:
    warnings = check(secure.url(database, SERVER)).warnings
    assert any("synchronous_standby_names is empty" in warning for warning in warnings)
    assert all(warning.startswith("STRONGROOM_DATABASE_URL: ") for warning in warnings)


def test_settings_that_lose_acknowledged_writes_are_warnings(
    secure: SecureServer, database: str
) -> None:
    warnings = " ".join(check(secure.url(database, SERVER)).warnings)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert f"{name} is off" in warnings


def test_a_replica_alone_is_a_fault() -> None:
    with postgresql_server() as server:
        server.stop(signal.SIGINT)
        (server.directory / "data" / "standby.signal").touch()
        server.start()
        assert "no host of it is the primary" in fault_of(server.url("postgres"))
