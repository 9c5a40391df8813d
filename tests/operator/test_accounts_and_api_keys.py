"""``strongroom account`` and ``strongroom api-key``."""

import time

import pytest

from tests.operator.conftest import Terminal

DAY_MS = 24 * 60 * 60 * 1000


def test_a_new_account_is_printed_by_its_id_and_listed(terminal: Terminal) -> None:
    made = terminal.answer("account", "create", "Team A").strip()
    assert made.startswith("acct_")
    assert made in terminal.answer("account", "list")
    last = terminal.json("account", "list")[-1]
    assert (last["id"], last["name"], last["devbox"]) == (made, "Team A", True)


def test_the_devbox_capability_is_given_and_taken(terminal: Terminal) -> None:
    made = terminal.json("account", "create", "Team B", "--no-devbox")
    assert made["devbox"] is False
    terminal.answer("account", "set", made["id"], "--devbox")
    assert terminal.json("account", "list")[-1]["devbox"] is True
    terminal.answer("account", "set", made["id"], "--no-devbox")
    assert terminal.json("account", "list")[-1]["devbox"] is False


def test_a_new_api_key_is_printed_once(terminal: Terminal, account: str) -> None:
    token = terminal.answer("api-key", "create", account, "--name", "ci").strip()
    assert token.startswith("ak_")
    listed = terminal.answer("api-key", "list", account)
    assert "ci" in listed
    assert token not in listed + terminal.answer("api-key", "list", account, "--json")


def test_an_api_key_of_some_scopes_is_a_restricted_one(terminal: Terminal, account: str) -> None:
    scopes = ("--scope", "secrets:read", "--scope", "secrets:inject")
    made = terminal.json("api-key", "create", account, *scopes)
    assert made["key_secret"].startswith("rk_")
    listed = terminal.json("api-key", "list", account)[-1]
    assert (listed["id"], listed["scopes"]) == (made["id"], "secrets:inject secrets:read")


@pytest.mark.parametrize(
    ("text", "ms"), [("90d", 90 * DAY_MS), ("36h", 1.5 * DAY_MS), ("9m", 540_000)]
)
def test_an_api_key_expires_when_it_was_told_to(
    text: str, ms: float, terminal: Terminal, account: str
) -> None:
    made = terminal.json("api-key", "create", account, "--expires", text)
    assert made["expires_at_ms"] == pytest.approx(time.time() * 1000 + ms, abs=60_000)


def test_a_revoked_api_key_is_listed_as_revoked(terminal: Terminal, account: str) -> None:
    made = terminal.json("api-key", "create", account)
    terminal.answer("api-key", "revoke", account, made["id"])
    assert terminal.json("api-key", "list", account)[-1]["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("account", "create", ""),
            "The name is not valid: name must be 1 to 255 printable characters.",
        ),
        (("account", "set", "acct_none", "--devbox"), "Account not found."),
        (("api-key", "list", "acct_none"), "Account not found."),
        (("api-key", "create", "acct_none"), "Account not found."),
        (("api-key", "revoke", "acct_none", "key_none"), "API key not found."),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    arguments: tuple[str, ...], said: str, terminal: Terminal
) -> None:
    refused = terminal.run(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"strongroom: {said}\n"


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1y", "٣d", "1d\n"])
def test_a_lifetime_that_is_none_is_refused(text: str, terminal: Terminal, account: str) -> None:
    refused = terminal.run("api-key", "create", account, "--expires", text)
    assert refused.exit_code == 2
    assert "must be a number of days, hours or minutes" in refused.stderr
