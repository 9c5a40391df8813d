"""``strongroom run`` on the real server: ``--all``, values in place of names, files in memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.access.scopes import Scope
from app.services.container import Services
from tests.e2e.account import Account
from tests.support.strongroom import Strongroom

Run = Callable[..., subprocess.CompletedProcess[str]]

COUNT = ("--", "sh", "-c", "env | grep -c =canary")


@pytest.fixture
def run(server: Strongroom, account: Account, tmp_path: Path) -> Run:
    def run(*arguments: str, key: str = account.token) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "strongroom"), "run", *arguments],
            env={
                "PATH": server.environment["PATH"],
                "RUNLOOP_BASE_URL": server.url,
                "RUNLOOP_API_KEY": key,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def inject_only(account: Account, operator: Services) -> str:
    """A key that may inject, and not list."""
    scopes = frozenset({Scope.SECRETS_INJECT})
    return operator.api_keys.issue(account.id, name="a job", scopes=scopes).token.reveal()


def test_all_takes_more_than_one_injection_has_room_for(account: Account, run: Run) -> None:
    for number in range(258):
        account.create(f"S_{number}", f"canary-{number}")
    result = run("--all", *COUNT)
    assert (result.stdout, result.stderr) == ("258\n", "")


def test_all_takes_more_bytes_than_one_injection_has_room_for(account: Account, run: Run) -> None:
    for number in range(18):
        account.create(f"S_{number}", "canary" + "x" * 65_000)
    result = run("--all", *COUNT)
    assert (result.stdout, result.stderr) == ("18\n", "")


def test_all_leaves_out_a_secret_whose_row_was_changed(
    server: Strongroom, account: Account, run: Run
) -> None:
    for name in ("FIRST", "DAMAGED", "LAST"):
        account.create(name, f"canary-{name}")
    with server.rows() as rows:
        rows.edit("secrets", {"account_id": account.id, "name": "DAMAGED"}, envelope=bytes(80))
    result = run("--all", *COUNT)
    assert result.stdout == "2\n"
    assert "left out 1 of 3: DAMAGED (not returned by the server)" in result.stderr


def test_a_dotenv_file_leaves_no_trace_in_the_server(
    server: Strongroom, run: Run, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DB_PASS=canaryhunter\nDB_USER=canarypostgres\n")
    result = run("--from", ".env", "--", "true")
    assert (result.returncode, "secret import .env" in result.stderr) == (125, True)
    assert "canary" not in result.stderr
    assert "canaryhunter" not in server.log.read_text()


def test_a_key_that_may_not_list_injects_by_name(
    account: Account, run: Run, inject_only: str
) -> None:
    account.create("db_pass", "canary")
    result = run("--secret", "DB_PASS=db_pass", *COUNT, key=inject_only)
    assert (result.stdout, result.stderr) == ("1\n", "")


def test_a_key_that_may_not_list_gets_no_echo(run: Run, inject_only: str) -> None:
    result = run("--secret", "DB_PASS=canaryhunter", "--", "true", key=inject_only)
    assert (result.returncode, "its message is not shown" in result.stderr.lower()) == (123, True)
    assert "canary" not in result.stderr


def test_a_file_in_memory_has_the_value(account: Account, run: Run) -> None:
    account.create("TLS_KEY", "canary\nlines\n")
    result = run("--file", "KEY=TLS_KEY", "--", "sh", "-c", 'cat "$KEY"')
    assert result.stdout == "canary\nlines\n"
