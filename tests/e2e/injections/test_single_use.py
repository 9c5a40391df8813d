"""A token is redeemed once, whoever tries and however many try at once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.support.strongroom import Strongroom

_PROCESSES = 16


class Redeemer:
    """A long-lived process that redeems."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tell(self, token: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(token + "\n")
        self._process.stdin.flush()

    def outcome(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def redeemers(server: Strongroom) -> Iterator[list[Redeemer]]:
    script = Path(__file__).parent / "redeemer.py"
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(script), server.environment["PORT"]],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(_PROCESSES)
        ]
        yield [Redeemer(process) for process in processes]


@pytest.mark.timeout(1800)
def test_of_many_processes_exactly_one_gets_the_values(
    account: Account, redeemers: list[Redeemer], *, proving: bool
) -> None:
    account.create("API_TOKEN", "the value")
    for _ in range(1000 if proving else 50):
        token = inject(account, "API_TOKEN")["token"]
        for redeemer in redeemers:
            redeemer.tell(token)
        outcomes = sorted(redeemer.outcome() for redeemer in redeemers)
        assert outcomes == ["200 the value"] + ["401 -"] * (_PROCESSES - 1)


def test_a_second_use_is_recorded_with_ids_and_no_token(
    server: Strongroom, account: Account
) -> None:
    account.create("API_TOKEN")
    made = inject(account, "API_TOKEN")
    assert redeem(account.url, made["token"]).status_code == 200

    assert redeem(account.url, made["token"]).status_code == 401

    (event,) = server.logged("injection_id", [made["id"]], event="injection_reused")
    assert (event["level"], event["account_id"]) == ("WARNING", account.id)
    assert made["token"] not in server.log.read_text()


_ITS_ACCOUNT = "(SELECT account_id FROM injections WHERE id = ?)"


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE injections SET expires_at_ms = expires_at_ms + 1 WHERE id = ?",
        "UPDATE injections SET mac = (SELECT mac FROM accounts LIMIT 1) WHERE id = ?",
        "UPDATE injections SET secrets = replace(secrets, 'API_TOKEN', 'OTHER') WHERE id = ?",
        f"UPDATE accounts SET devbox = 0 WHERE id = {_ITS_ACCOUNT}",
        f"UPDATE api_keys SET expires_at_ms = 9000000000000 WHERE account_id = {_ITS_ACCOUNT}",
    ],
)
def test_an_edited_row_redeems_nothing(server: Strongroom, account: Account, edit: str) -> None:
    account.create("API_TOKEN")
    made = inject(account, "API_TOKEN")
    with server.rows() as rows:
        rows.execute(edit, [made["id"]])

    assert redeem(account.url, made["token"]).status_code == 401


def test_a_used_injection_set_back_to_pending_redeems_nothing(
    server: Strongroom, account: Account
) -> None:
    account.create("API_TOKEN")
    made = inject(account, "API_TOKEN")
    assert redeem(account.url, made["token"]).status_code == 200
    with server.rows() as rows:
        rows.edit("injections", {"id": made["id"]}, state="pending", redeemed_at_ms=None)

    assert redeem(account.url, made["token"]).status_code == 401
