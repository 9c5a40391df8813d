"""Damaged rows stop no command that does not need them, and are named by table and id."""

import json

import pytest

from app.cli.client_env import ClientEnv
from app.cli.errors import DAMAGED
from tests.support.terminal import Terminal


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        pytest.param("CAST(? AS TEXT)", b"\xffA", marks=pytest.mark.sqlite, id="flipped"),
        pytest.param("?", "another name", id="edited"),
        pytest.param("?", "\x1b[2J", id="terminal"),
    ],
)
def test_a_damaged_account_is_listed_as_damaged_and_named(
    terminal: Terminal, account: str, expression: str, name: str | bytes
) -> None:
    other = terminal.answer("account", "create", "Team B").strip()
    with terminal.rows() as rows:
        rows.execute(f"UPDATE accounts SET name = {expression} WHERE id = ?", [name, other])
    listed = terminal.run("account", "list")
    assert listed.exit_code == DAMAGED
    assert account in listed.stdout
    assert [line for line in listed.stdout.splitlines() if other in line and "(damaged)" in line]
    assert listed.stderr == f"strongroom: damaged: the row {other} of accounts\n"


def test_json_lists_the_damaged_rows(terminal: Terminal, account: str) -> None:
    made = terminal.json("api-key", "create", account)
    with terminal.rows() as rows:
        rows.edit("api_keys", {"id": made["id"]}, scopes="everything")
    listed = terminal.run("api-key", "list", account, "--json")
    assert listed.exit_code == DAMAGED
    first, damaged = json.loads(listed.stdout)
    assert (first["damaged"], damaged["damaged"]) == (False, True)
    assert (damaged["id"], damaged["name"]) == (made["id"], None)


def test_the_api_keys_of_a_damaged_account_are_listed(terminal: Terminal, account: str) -> None:
    with terminal.rows() as rows:
        rows.edit("accounts", {}, devbox=7)
    assert len(terminal.json("api-key", "list", account)) == 1


@pytest.mark.parametrize("table", ["accounts", "api_keys"])
def test_a_server_starts_beside_damaged_rows(terminal: Terminal, table: str) -> None:
    with terminal.rows() as rows:
        rows.edit(table, {}, mac=bytes(33))
    assert terminal.run("init").exit_code == 0
    assert terminal.run("check").exit_code == 0


@pytest.mark.parametrize("table", ["accounts", "api_keys"])
def test_init_issues_no_second_key_because_a_row_is_damaged(terminal: Terminal, table: str) -> None:
    (terminal.home / "client.env").unlink()
    with terminal.rows() as rows:
        rows.edit(table, {}, mac=bytes(33))
    assert terminal.answer("init") == ""
    assert not (terminal.home / "client.env").exists()


@pytest.mark.parametrize("table", ["accounts", "api_keys"])
def test_an_init_that_was_interrupted_goes_on_beside_damaged_rows(
    terminal: Terminal, table: str
) -> None:
    ClientEnv(terminal.home).begin()
    (terminal.home / "client.env").unlink()
    with terminal.rows() as rows:
        rows.edit(table, {}, mac=bytes(33))
    assert "RUNLOOP_API_KEY" in terminal.answer("init")


def test_a_refused_command_names_the_row(terminal: Terminal, account: str) -> None:
    with terminal.rows() as rows:
        rows.edit("accounts", {}, devbox=7)
    refused = terminal.run("account", "set", account, "--devbox")
    assert refused.exit_code == DAMAGED
    assert f"The row {account} of accounts is not what this server wrote." in refused.stderr


def test_an_empty_list_and_a_full_one_are_one_json_document(
    terminal: Terminal, account: str
) -> None:
    with terminal.rows() as rows:
        rows.remove("api_keys")
    assert terminal.json("api-key", "list", account) == []
    for _ in range(3):
        terminal.answer("api-key", "create", account)
    assert len(terminal.json("api-key", "list", account)) == 3
