"""``strongroom backup`` and ``strongroom restore``."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app.bootstrap import build
from app.domain.gateways.tokens import GatewayTokenView
from app.domain.secrets import SecretValue
from app.repository.sql import schema
from app.services.container import Services
from config import load
from tests.support.deployment import Tenant, with_key
from tests.support.gateway.stored import store_config, store_token
from tests.support.terminal import Terminal

pytestmark = pytest.mark.sqlite


@contextmanager
def services(terminal: Terminal) -> Iterator[Services]:
    with closing(build(load(terminal.environ))) as opened:
        yield opened


@contextmanager
def tenant(terminal: Terminal, account: str) -> Iterator[Tenant]:
    with services(terminal) as opened:
        yield with_key(opened, account)


def create(terminal: Terminal, account: str, *names: str) -> None:
    with tenant(terminal, account) as owner:
        for name in names:
            owner.services.secrets.create(owner.caller, name, SecretValue(name.lower()), None)


def values(terminal: Terminal, account: str) -> dict[str, str]:
    with tenant(terminal, account) as owner:
        return owner.values()


def new_home(terminal: Terminal, tmp_path: Path) -> Terminal:
    """Another machine with the same key file and nothing else."""
    other = Terminal(tmp_path / "other")
    other.home.mkdir(mode=0o700)
    shutil.copy(terminal.home / "keys", other.home / "keys")
    return other


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def made(terminal: Terminal, account: str, file: Path) -> Path:
    """A backup with two secrets."""
    create(terminal, account, "FIRST", "SECOND")
    terminal.answer("backup", str(file))
    return file


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_backup_is_one_file_for_its_owner(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert names_in(made.parent) == {made.name, "home"}


def test_a_backup_prints_its_contents_and_its_root_keys(
    terminal: Terminal, account: str, file: Path
) -> None:
    create(terminal, account, "FIRST", "SECOND")
    (ref,) = [each["key_ref"] for each in terminal.json("keyring", "status")["key_refs"]]
    assert terminal.json("backup", str(file)) == {
        "file": str(file),
        "secrets": 2,
        "data_keys": 2,
        "root_keys": [{"key_ref": ref, "data_keys": 2}],
    }


def test_no_file_is_overwritten(terminal: Terminal, file: Path) -> None:
    file.write_text("mine")
    refused = terminal.run("backup", str(file))
    assert refused.exit_code == 1
    assert file.read_text() == "mine"


def test_a_backup_into_a_directory_that_is_not_there_is_refused(
    terminal: Terminal, file: Path
) -> None:
    refused = terminal.run("backup", str(file / "below"))
    assert (refused.exit_code, refused.stderr) == (
        1,
        "strongroom: below: the file cannot be read or written (ENOENT).\n",
    )


def test_restore_into_an_empty_home_brings_everything_back(
    terminal: Terminal, account: str, made: Path, tmp_path: Path
) -> None:
    other = new_home(terminal, tmp_path)
    other.answer("restore", str(made))
    assert values(other, account) == {"FIRST": "first", "SECOND": "second"}
    assert other.run("check").exit_code == 0


def test_writes_after_a_backup_are_gone_after_its_restore(
    terminal: Terminal, account: str, made: Path
) -> None:
    create(terminal, account, "THIRD")
    terminal.answer("restore", str(made), "--replace")
    assert sorted(values(terminal, account)) == ["FIRST", "SECOND"]


def test_a_restore_does_not_replace_a_database_unasked(terminal: Terminal, made: Path) -> None:
    before = (terminal.home / "strongroom.db").read_bytes()
    refused = terminal.run("restore", str(made))
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    assert (terminal.home / "strongroom.db").read_bytes() == before


def test_the_database_that_was_set_aside_can_be_put_back(
    terminal: Terminal, account: str, made: Path
) -> None:
    create(terminal, account, "THIRD")
    aside = terminal.json("restore", str(made), "--replace")["set_aside"]
    terminal.answer("restore", aside, "--replace")
    assert sorted(values(terminal, account)) == ["FIRST", "SECOND", "THIRD"]


def test_pending_injections_end(terminal: Terminal, account: str, file: Path) -> None:
    create(terminal, account, "FIRST")
    with tenant(terminal, account) as owner:
        issued = owner.inject("FIRST")
        terminal.answer("backup", str(file))
        view = owner.services.injections.get(owner.caller, issued.id)
    assert view.status == "pending"
    assert terminal.json("restore", str(file), "--replace")["ended_injections"] == 1
    with services(terminal) as opened:
        assert opened.injections.get(owner.caller, issued.id).status == "revoked"


def test_gateway_tokens_end(terminal: Terminal, account: str, file: Path) -> None:
    create(terminal, account, "FIRST")
    with tenant(terminal, account) as owner:
        minted = store_token(owner, store_config(owner), "FIRST")
        terminal.answer("backup", str(file))
    assert terminal.json("restore", str(file), "--replace")["ended_gateway_tokens"] == 1
    with services(terminal) as opened:
        view = opened.gateway_tokens.get(owner.caller, minted.row.id)
    assert isinstance(view, GatewayTokenView)
    assert view.status == "revoked"


def test_keys_that_are_live_again_are_listed_and_no_others(
    terminal: Terminal, account: str, made: Path
) -> None:
    keys = [each["id"] for each in terminal.json("api-key", "list", account)]
    terminal.answer("api-key", "revoke", account, keys[0])
    restored = terminal.json("restore", str(made), "--replace")
    assert [each["id"] for each in restored["live_again"]] == [keys[0]]
    assert restored["compared"] is True


def test_without_a_database_to_compare_with_every_live_key_is_listed(
    terminal: Terminal, account: str, made: Path, tmp_path: Path
) -> None:
    live = [each["id"] for each in terminal.json("api-key", "list", account)]
    live += [each["id"] for each in terminal.json("gateway", "key", "list")]
    restored = new_home(terminal, tmp_path).json("restore", str(made))
    assert [each["id"] for each in restored["live_again"]] == live
    assert restored["compared"] is False


def test_without_its_root_key_a_backup_is_restored_unverified_with_a_warning(
    terminal: Terminal, account: str, file: Path, tmp_path: Path
) -> None:
    create(terminal, account, "FIRST")
    with tenant(terminal, account) as owner:
        owner.inject("FIRST")
        store_token(owner, store_config(owner), "FIRST")
    terminal.answer("backup", str(file))
    other = new_home(terminal, tmp_path)
    (other.home / "keys").write_bytes(Fernet.generate_key() + b"\n")
    restored = other.run("restore", str(file), "--json")
    assert restored.exit_code == 0
    assert '"verified": false' in restored.stdout
    assert '"ended_injections": 1' in restored.stdout
    assert '"ended_gateway_tokens": 1' in restored.stdout
    assert "no row could be verified" in restored.stderr


def test_an_edited_row_is_refused_by_name_and_nothing_is_put_in_place(
    terminal: Terminal, account: str, made: Path, tmp_path: Path
) -> None:
    execute(made, "UPDATE accounts SET name = 'mallory'")
    other = new_home(terminal, tmp_path)
    refused = other.run("restore", str(made))
    assert refused.exit_code == 5
    assert account in refused.stderr
    assert names_in(other.home) <= {"keys"}


def test_a_backup_with_a_damaged_row_is_restored_with_skip_damaged(
    terminal: Terminal, account: str, made: Path, tmp_path: Path
) -> None:
    execute(made, "UPDATE accounts SET name = 'mallory'")
    other = new_home(terminal, tmp_path)
    restored = other.run("restore", str(made), "--skip-damaged")
    assert restored.exit_code == 0
    assert account in restored.stderr


@pytest.mark.parametrize("kept", [0, 100, 8192, 40_960])
@pytest.mark.parametrize("rest", [b"", b"\xff"], ids=["cut", "overwritten"])
def test_a_damaged_backup_is_refused_and_nothing_is_put_in_place(
    terminal: Terminal, made: Path, kept: int, rest: bytes
) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[:kept] + rest * (len(whole) - kept))
    before = {name: (terminal.home / name).read_bytes() for name in names_in(terminal.home)}
    refused = terminal.run("restore", str(made), "--replace")
    assert refused.exit_code == 5
    after = {name: (terminal.home / name).read_bytes() for name in names_in(terminal.home)}
    assert after == before


def test_a_backup_that_is_not_there_is_refused(terminal: Terminal, file: Path) -> None:
    refused = terminal.run("restore", str(file), "--replace")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "strongroom: backup: the file cannot be read or written (ENOENT).\n",
    )


def test_a_pipe_is_no_backup(terminal: Terminal, file: Path) -> None:
    os.mkfifo(file)
    assert terminal.run("restore", str(file), "--replace").exit_code == 1


def test_a_backup_is_made_before_tables_are_migrated(
    terminal: Terminal, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(terminal, account, "FIRST")
    monkeypatch.setattr(schema, "age", lambda _: schema.SchemaAge.OLDER)
    upgraded = terminal.run("db", "upgrade")
    assert upgraded.exit_code == 0
    (backup,) = terminal.home.glob("strongroom.db.before-upgrade-*")
    assert str(backup) in upgraded.stdout
    monkeypatch.undo()
    terminal.answer("restore", str(backup), "--replace")
    assert values(terminal, account) == {"FIRST": "first"}


def test_no_backup_is_made_where_there_is_nothing_to_migrate(terminal: Terminal) -> None:
    terminal.answer("db", "upgrade")
    assert list(terminal.home.glob("*before-upgrade*")) == []


def test_a_key_below_one_that_is_live_again_is_listed_too(
    terminal: Terminal, account: str, file: Path
) -> None:
    with tenant(terminal, account) as owner:
        child = owner.services.api_keys.mint(
            owner.caller, name="child", scopes=None, expires_at_ms=None, retry=None
        )
    terminal.answer("backup", str(file))
    terminal.answer("api-key", "revoke", account, owner.key.id)
    restored = terminal.json("restore", str(file), "--replace")
    assert {each["id"] for each in restored["live_again"]} == {owner.key.id, child.id}


def test_a_key_whose_old_token_is_valid_again_is_listed(
    terminal: Terminal, account: str, made: Path
) -> None:
    keys = [each["id"] for each in terminal.json("api-key", "list", account)]
    terminal.answer("api-key", "rotate", account, keys[0], "--overlap", "0m")
    restored = terminal.json("restore", str(made), "--replace")
    assert [each["id"] for each in restored["live_again"]] == [keys[0]]


def test_workers_of_the_time_of_the_backup_do_not_count(terminal: Terminal, made: Path) -> None:
    execute(
        made,
        "INSERT INTO workers SELECT 'wrk_1', 'old', '[]', '[]', 0, 1, 9000000000000"
        " WHERE EXISTS (SELECT 1 FROM accounts)",
    )
    terminal.answer("restore", str(made), "--replace")
    with closing(sqlite3.connect(terminal.home / "strongroom.db")) as connection:
        assert connection.execute("SELECT count(*) FROM workers").fetchone() == (0,)
