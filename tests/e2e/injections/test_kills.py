"""Killing the server during a redemption never leaves a token used and its values lost."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum, auto
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.support.strongroom import Strongroom, running

pytestmark = pytest.mark.slow

_VALUES = {f"SECRET_{number}": f"value {number}" for number in range(50)}
_FIRST_DELAY_SECONDS = 0.01  # about what a redemption takes


class Outcome(StrEnum):
    """The state of a redemption when the server was killed."""

    UNUSED = auto()
    USED_AND_RECOVERED = auto()
    ANSWERED = auto()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Strongroom]:
    with running(tmp_path) as server:
        yield server


@pytest.fixture
def own_operator(own_server: Strongroom) -> Iterator[Services]:
    with closing(build(load(own_server.environment))) as services:
        yield services


@pytest.mark.timeout(1800)
def test_a_token_is_unused_or_recoverable_wherever_the_server_was_killed(
    own_server: Strongroom, own_operator: Services, *, proving: bool
) -> None:
    chance, delay = random.Random(20_261_124), _FIRST_DELAY_SECONDS
    outcomes: Counter[Outcome] = Counter()
    rounds, most = (50, 200) if proving else (6, 6)
    for number in range(most):
        with Account.new(own_server.url, own_operator) as account:
            for name, value in _VALUES.items():
                account.create(name, value)
            before, made = inject(account, *_VALUES), inject(account, *_VALUES)
            nonce = f"nonce-{number:032}"
            with closing(Connection(own_server)) as connection:
                assert connection.redeem(before["token"], nonce)  # so that the next takes as ever
                answered = connection.redeem(made["token"], nonce, kill_after=delay)
            own_server.start()
            outcome = outcome_of(account, made["id"], answered=answered)

        again = redeem(own_server.url, made["token"], nonce)

        assert again.json() == {"environment": _VALUES}, outcome
        assert redeem(own_server.url, made["token"], "n" * 22).status_code == 401
        outcomes[outcome] += 1
        delay = next_delay(delay, outcome, chance)
        if number + 1 >= rounds and set(outcomes) == set(Outcome):
            break
    if proving:
        assert set(outcomes) == set(Outcome), outcomes


class Connection:
    """One kept connection, which stays with one worker of the server."""

    def __init__(self, server: Strongroom) -> None:
        self._server = server
        self._http = HTTPConnection("127.0.0.1", int(server.environment["PORT"]), timeout=30)

    def close(self) -> None:
        self._http.close()

    def redeem(self, token: str, nonce: str, kill_after: float | None = None) -> bool:
        """Redeem, and kill the server so many seconds after it was asked; whether it answered."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps({"redeem_nonce": nonce})
        self._http.request("POST", "/v1/injections/redeem", body, headers)
        if kill_after is not None:
            time.sleep(kill_after)
            self._server.kill()
        try:
            with self._http.getresponse() as response:
                return bool(json.loads(response.read()) == {"environment": _VALUES})
        except (OSError, HTTPException, ValueError):
            return False


def outcome_of(account: Account, injection_id: str, *, answered: bool) -> Outcome:
    status = account.call("GET", f"/v1/injections/{injection_id}").json()["status"]
    assert status == "redeemed" or (status == "pending" and not answered)
    if answered:
        return Outcome.ANSWERED
    return Outcome.UNUSED if status == "pending" else Outcome.USED_AND_RECOVERED


def next_delay(delay: float, outcome: Outcome, chance: random.Random) -> float:
    """Nearer to the moment when the token becomes used: this is where something could be lost."""
    toward = {Outcome.UNUSED: 1.2, Outcome.USED_AND_RECOVERED: 1.0, Outcome.ANSWERED: 0.8}
    return delay * toward[outcome] * chance.uniform(0.9, 1.1)
