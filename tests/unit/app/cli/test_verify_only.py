"""``strongroom backup`` and ``restore`` where PostgreSQL makes the backups."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.bootstrap import build
from app.cli.private_files import create
from backends.local_fernet import new_key_file
from config import load
from tests.support.deployment import Tenant, new_tenant
from tests.support.postgresql import PostgresqlServer, find_binaries
from tests.support.terminal import Terminal


@pytest.fixture
def on_server(postgresql: PostgresqlServer, tmp_path: Path) -> Iterator[Terminal]:
    """A deployment on PostgreSQL that holds two secrets and a pending injection."""
    name = postgresql.create_database()
    terminal = Terminal(tmp_path / "home")
    terminal.environ["STRONGROOM_DATABASE_URL"] = postgresql.url(name)
    terminal.answer("init")
    yield terminal
    postgresql.drop_database(name)


@pytest.fixture
def token(on_server: Terminal) -> str:
    """The token of an injection that was redeemed after a backup was made."""
    with closing(build(load(on_server.environ))) as services:
        tenant: Tenant = new_tenant(services)
        tenant.create("A")
        tenant.create("B")
        return tenant.inject("A", "B").token.reveal()


def database_of(terminal: Terminal) -> str:
    return terminal.environ["STRONGROOM_DATABASE_URL"].rpartition("/")[2]


def put_back(server: PostgresqlServer, terminal: Terminal) -> Terminal:
    """A terminal in front of a copy of the database that pg_dump and psql have made."""
    copy = server.create_database()
    dump, load_it = (find_binaries() / name for name in ("pg_dump", "psql"))
    made = subprocess.run(
        [dump, terminal.environ["STRONGROOM_DATABASE_URL"]], check=True, capture_output=True
    )
    command: list[str | Path] = [load_it, "--quiet", "--set=ON_ERROR_STOP=1", server.url(copy)]
    subprocess.run(command, check=True, capture_output=True, input=made.stdout)
    other = Terminal(terminal.home)
    other.environ.update(STRONGROOM_DATABASE_URL=server.url(copy))
    return other


@pytest.mark.parametrize("command", ["backup", "restore", "restore --replace"])
def test_backup_and_restore_refuse_and_name_the_tools_of_the_server(
    on_server: Terminal, tmp_path: Path, command: str
) -> None:
    file = str(tmp_path / "file")
    refused = on_server.run(*command.split(), file)
    assert refused.exit_code == 1
    assert "pg_dump" in refused.stderr
    assert "--verify-only" in refused.stderr
    assert not Path(file).exists()


def test_what_pg_dump_brought_back_is_verified(
    on_server: Terminal, token: str, postgresql: PostgresqlServer
) -> None:
    back = put_back(postgresql, on_server)
    verified = back.json("restore", "--verify-only")
    assert (verified["ok"], verified["verified"], verified["damaged"]) == (True, True, [])
    assert (verified["secrets"], verified["pending_injections"]) == (2, 1)
    assert [each["data_keys"] for each in verified["root_keys"]] == [verified["data_keys"]]


def test_a_pending_injection_stays_unless_it_is_to_end(on_server: Terminal, token: str) -> None:
    on_server.answer("restore", "--verify-only")
    ended = on_server.json("restore", "--end-injections")
    assert (ended["pending_injections"], ended["ended_injections"]) == (1, 1)
    assert on_server.json("restore", "--verify-only")["pending_injections"] == 0


def test_a_row_that_was_edited_is_named(
    on_server: Terminal, token: str, postgresql: PostgresqlServer
) -> None:
    database = database_of(on_server)
    postgresql.execute("UPDATE accounts SET devbox = 1 - devbox", database=database)
    refused = on_server.run("restore", "--end-injections", "--json")
    assert refused.exit_code == 1
    found = json.loads(refused.stdout)
    assert {row["table"] for row in found["damaged"]} == {"accounts"}
    assert (found["ok"], found["ended_injections"]) == (False, 0)


@pytest.mark.parametrize("column", ["account_id", "id", "name"])
def test_a_secret_that_was_given_another_identity_is_named(
    on_server: Terminal, token: str, postgresql: PostgresqlServer, column: str
) -> None:
    database = database_of(on_server)
    for constraint in ("fk_secrets_accounts", "fk_secrets_data_keys"):
        postgresql.execute(f"ALTER TABLE secrets DROP CONSTRAINT {constraint}", database=database)
    edit = f"UPDATE secrets SET {column} = {column} || '1' WHERE name = 'A'"
    postgresql.execute(edit, database=database)
    refused = on_server.run("restore", "--verify-only", "--json")
    assert refused.exit_code == 1
    assert [row["table"] for row in json.loads(refused.stdout)["damaged"]] == ["secrets"]


def test_a_schema_that_is_not_ours_is_a_fault(
    on_server: Terminal, postgresql: PostgresqlServer
) -> None:
    postgresql.execute("DELETE FROM alembic_version", database=database_of(on_server))
    refused = on_server.run("restore", "--verify-only")
    assert refused.exit_code == 1
    assert "strongroom db upgrade" in refused.stderr


def test_without_its_root_key_the_database_is_counted_and_not_verified(
    on_server: Terminal, token: str
) -> None:
    other = on_server.home / "other"
    create(other, new_key_file())
    looked = on_server.run("restore", "--verify-only", STRONGROOM_KEYS=f"local-fernet:{other}")
    assert looked.exit_code == 0, looked.stderr
    assert "2 secrets" in looked.stdout
    assert "no row could be verified" in looked.stderr


@pytest.mark.parametrize("more", [["a-file"], ["--replace"], ["--skip-damaged"]])
def test_only_the_present_database_is_verified(terminal: Terminal, more: list[str]) -> None:
    assert terminal.run("restore", "--verify-only", *more).exit_code == 2


def test_a_restore_needs_a_file(terminal: Terminal) -> None:
    assert terminal.run("restore").exit_code == 2


def test_a_file_of_sqlite_can_be_verified_in_its_place(terminal: Terminal) -> None:
    verified = terminal.json("restore", "--verify-only")
    assert (verified["ok"], verified["verified"]) == (True, True)
