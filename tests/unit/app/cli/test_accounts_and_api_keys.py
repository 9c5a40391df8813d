"""``strongroom account`` and ``strongroom api-key``."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from app.bootstrap import build
from app.domain.errors import AccountNameExists
from app.domain.secrets import SecretValue
from config import load
from tests.support.terminal import Terminal

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
INJECT = ("--scope", "secrets:inject")


def test_a_new_account_is_printed_by_its_id_and_listed(terminal: Terminal) -> None:
    made = terminal.answer("account", "create", "Team A").strip()
    assert made.startswith("acct_")
    assert made in terminal.answer("account", "list")
    last = terminal.json("account", "list")[-1]
    assert (last["id"], last["name"], last["devbox"]) == (made, "Team A", True)


def test_the_devbox_capability_is_granted_and_withdrawn(terminal: Terminal) -> None:
    made = terminal.json("account", "create", "Team B", "--no-devbox")
    assert made["devbox"] is False
    terminal.answer("account", "set", made["id"], "--devbox")
    assert terminal.json("account", "list")[-1]["devbox"] is True
    terminal.answer("account", "set", made["id"], "--no-devbox")
    assert terminal.json("account", "list")[-1]["devbox"] is False


def test_a_deleted_account_is_not_listed_any_more(terminal: Terminal) -> None:
    made = terminal.json("account", "create", "Team E")
    receipt = terminal.answer("account", "delete", "Team E", "--confirm", "Team E")
    assert made["id"] in receipt
    assert made["id"] not in terminal.answer("account", "list")


@pytest.mark.parametrize("confirmed", [(), ("--confirm", "Team G")])
def test_an_account_is_not_deleted_without_its_name(
    terminal: Terminal, confirmed: tuple[str, ...]
) -> None:
    made = terminal.json("account", "create", "Team F")
    assert terminal.run("account", "delete", "Team F", *confirmed).exit_code == 2
    assert made["id"] in terminal.answer("account", "list")


def test_every_command_takes_an_account_by_its_name(terminal: Terminal) -> None:
    made = terminal.json("account", "create", "Team C")
    terminal.answer("account", "set", "Team C", "--no-devbox")
    assert terminal.json("account", "list")[-1]["devbox"] is False
    key = terminal.json("api-key", "create", "Team C")["id"]
    terminal.answer("api-key", "rotate", "Team C", key)
    terminal.answer("api-key", "revoke", "Team C", key)
    by_name, by_id = (terminal.json("api-key", "list", ref) for ref in ("Team C", made["id"]))
    assert by_name == by_id
    assert [(each["id"], each["state"]) for each in by_name] == [(key, "revoked")]


def test_of_two_operators_one_makes_the_account_of_a_name(terminal: Terminal) -> None:
    with ThreadPoolExecutor(2) as pool, closing(build(load(terminal.environ))) as services:
        made = [pool.submit(services.accounts.create, "Team D") for _ in range(2)]
        errors = [each.exception() for each in made]
    assert [type(each) for each in errors if each] == [AccountNameExists]


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
def test_an_api_key_expires_after_its_lifetime(
    text: str, ms: float, terminal: Terminal, account: str
) -> None:
    made = terminal.json("api-key", "create", account, "--expires", text)
    assert made["expires_at_ms"] == pytest.approx(time.time() * 1000 + ms, abs=60_000)


def test_a_revoked_api_key_is_listed_as_revoked(terminal: Terminal, account: str) -> None:
    made = terminal.json("api-key", "create", account)
    terminal.answer("api-key", "revoke", account, made["id"])
    assert terminal.json("api-key", "list", account)[-1]["state"] == "revoked"


def test_a_key_is_limited_to_names(terminal: Terminal, account: str) -> None:
    made = terminal.json(
        "api-key", "create", account, *INJECT, "--secret", "DB_PASS", "--secret", "CI_*"
    )
    assert made["key_secret"].startswith("rk_")
    listed = terminal.json("api-key", "list", account)[-1]
    assert (listed["scopes"], listed["secrets"]) == ("secrets:inject", "CI_* DB_PASS")


@pytest.mark.parametrize(
    "scopes",
    [(), ("--scope", "secrets:read"), ("--scope", "secrets:inject", "--scope", "keys:write")],
)
def test_a_key_with_other_scopes_is_not_limited_to_names(
    terminal: Terminal, account: str, scopes: tuple[str, ...]
) -> None:
    refused = terminal.run("api-key", "create", account, *scopes, "--secret", "DB_PASS")
    assert refused.exit_code == 1
    assert "names go with no other scopes than gateways:use and secrets:inject" in refused.stderr


@pytest.fixture
def tree(terminal: Terminal, account: str) -> list[str]:
    """The ids of a key and three below it in a line; but for the last, each has an injection."""
    with closing(build(load(terminal.environ))) as services:
        token = services.api_keys.issue(account, name="root").token
        caller = services.authentication.authenticate(token)
        services.secrets.create(caller, "A", SecretValue("a value"), None)
        ids = [caller.api_key_id]
        for _ in range(3):
            services.injections.create(caller, {"A": "A"}, 300, None)
            minted = services.api_keys.mint(
                caller, name="child", scopes=None, expires_at_ms=None, retry=None
            )
            caller = services.authentication.authenticate(minted.token)
            ids.append(minted.id)
    return ids


def states(terminal: Terminal, account: str) -> dict[str, str]:
    return {key["id"]: key["state"] for key in terminal.json("api-key", "list", account)}


def test_the_list_shows_each_key_below_the_one_that_made_it(
    terminal: Terminal, account: str, tree: list[str]
) -> None:
    terminal.answer("api-key", "create", account, "--name", "later")
    lines = terminal.answer("api-key", "list", account).splitlines()
    starts = ["  " * place + key_id for place, key_id in enumerate(tree)]
    first = next(place for place, line in enumerate(lines) if line.startswith(starts[0]))
    below = lines[first : first + len(starts)]
    assert [line[: len(start)] for line, start in zip(below, starts, strict=True)] == starts
    assert "later" in lines[-1]
    shown = {key["id"]: key["issuers"] for key in terminal.json("api-key", "list", account)}
    assert [shown[each] for each in tree] == [tree[:place] for place in range(len(tree))]


def test_revoking_counts_the_keys_and_injections_that_end_with_it(
    terminal: Terminal, account: str, tree: list[str]
) -> None:
    said = terminal.answer("api-key", "revoke", account, tree[1])
    assert said == "API keys revoked with it: 2. Pending injections: 2. Gateway tokens: 0.\n"
    after = states(terminal, account)
    assert [after[each] for each in tree] == ["live", "revoked", "issuer_ended", "issuer_ended"]


def test_revoking_again_counts_nothing(terminal: Terminal, account: str, tree: list[str]) -> None:
    terminal.answer("api-key", "revoke", account, tree[1])
    counted = terminal.json("api-key", "revoke", account, tree[1])
    assert counted == {"id": tree[1], "api_keys": 0, "injections": 0, "gateway_tokens": 0}


def test_a_dry_run_counts_and_revokes_nothing(
    terminal: Terminal, account: str, tree: list[str]
) -> None:
    before = states(terminal, account)
    counted = terminal.json("api-key", "revoke", account, tree[0], "--dry-run")
    assert counted == {"id": tree[0], "api_keys": 3, "injections": 3, "gateway_tokens": 0}
    assert states(terminal, account) == before


def test_a_rotated_key_keeps_its_id(terminal: Terminal, account: str, tree: list[str]) -> None:
    made = terminal.json("api-key", "rotate", account, tree[0])
    listed = {key["id"]: key for key in terminal.json("api-key", "list", account)}
    assert made["id"] == tree[0]
    assert made["old_token_ends_at_ms"] == pytest.approx(time.time() * 1000 + HOUR_MS, abs=60_000)
    assert listed[tree[0]]["old_token_ends_at_ms"] == made["old_token_ends_at_ms"]
    assert [listed[each]["state"] for each in tree] == ["live"] * 4


def test_rotating_prints_the_new_token_and_the_end_of_the_old_one(
    terminal: Terminal, account: str, tree: list[str]
) -> None:
    done = terminal.run("api-key", "rotate", account, tree[0], "--overlap", "30m")
    assert done.stdout.startswith("ak_")
    assert len(done.stdout.split()) == 1
    assert "the old token is valid until 2" in done.stderr


def test_rotating_without_an_overlap_ends_the_old_token(
    terminal: Terminal, account: str, tree: list[str]
) -> None:
    done = terminal.run("api-key", "rotate", account, tree[0], "--overlap", "0m")
    assert "the old token is refused from now on" in done.stderr
    assert terminal.json("api-key", "list", account)[-1]["old_token_ends_at_ms"] is None


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
        (("api-key", "revoke", "acct_none", "key_none"), "Account not found."),
        (("api-key", "rotate", "acct_none", "key_none"), "Account not found."),
        (("api-key", "revoke", "default", "key_none"), "API key not found."),
        (("api-key", "rotate", "default", "key_none"), "API key not found."),
        (
            ("account", "create", "default"),
            "There is an account of this name already; names of accounts are unique.",
        ),
        (
            ("account", "create", "acct_0352qdPvdntveecd4gLSQI"),
            "The name is not valid: name must not look like an id.",
        ),
    ],
)
def test_a_refusal_is_reported_in_one_line(
    arguments: tuple[str, ...], said: str, terminal: Terminal
) -> None:
    refused = terminal.run(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"strongroom: {said}\n"


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1y", "٣d", "1d\n"])
def test_a_malformed_lifetime_is_refused(text: str, terminal: Terminal, account: str) -> None:
    refused = terminal.run("api-key", "create", account, "--expires", text)
    assert refused.exit_code == 2
    assert "Units: m (minutes), h (hours), d (days)." in refused.stderr
