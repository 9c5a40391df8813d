"""The official clients and ``redeem`` wait as a rate limit tells them, and then succeed.

Each of them sends requests until the server has refused one, so that no test depends on the speed
of the machine.
"""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from runloop_api_client import Runloop

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support.javascript import JavaScript
from tests.support.strongroom import Strongroom, running

pytestmark = pytest.mark.slow

_DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    """One worker that takes one request a second of each key."""
    settings = {"STRONGROOM_RATE_LIMIT_KEY": "1/second", "STRONGROOM_WORKERS": "1"}
    with running(tmp_path_factory.mktemp("limited"), settings) as server:
        yield server


@pytest.fixture
def account(limited: Strongroom) -> Iterator[Account]:
    with closing(build(load(limited.environment))) as services:
        account = Account.new(limited.url, services)
    with account:
        yield account


def test_the_python_client_waits_as_long_as_it_is_told(account: Account) -> None:
    refused: list[tuple[float, int]] = []
    sent: list[float] = []

    def note(answer: httpx.Response) -> None:
        if answer.status_code == 429:
            refused.append((time.monotonic(), int(answer.headers["retry-after"])))

    hooks = {"request": [lambda _: sent.append(time.monotonic())], "response": [note]}
    with (
        httpx.Client(event_hooks=hooks, trust_env=False) as http,
        Runloop(base_url=account.url, bearer_token=account.token, http_client=http) as client,
    ):
        deadline = time.monotonic() + _DEADLINE_S
        while not refused:
            assert client.secrets.list().secrets == []
            assert time.monotonic() < deadline
    moment, told = refused[-1]
    assert 1 <= told <= 60
    assert min(each for each in sent if each > moment) - moment >= told


def test_the_javascript_client_waits_as_long_as_it_is_told(
    account: Account, javascript: JavaScript
) -> None:
    environ = {"RUNLOOP_BASE_URL": account.url, "RUNLOOP_API_KEY": account.token}
    found = json.loads(javascript.run("rate_limit.mjs", environ=environ).stdout)
    assert 1 <= found["told"] <= 60
    assert found["waited"] >= found["told"]


def test_a_redemption_waits_as_long_as_it_is_told(
    limited: Strongroom, account: Account, tmp_path: Path
) -> None:
    environ = {"RUNLOOP_BASE_URL": account.url, "RUNLOOP_API_KEY": account.token}
    with Runloop(base_url=account.url, bearer_token=account.token) as client:
        client.secrets.create(name="A", value="a value")
    deadline = time.monotonic() + _DEADLINE_S
    while "injection_failed" not in limited.log.read_text():
        started = limited.command(
            "run", "--secret", "A", "--", "sh", "-c", "echo $A", check=True, **environ
        )
        assert started.stdout == "a value\n"
        assert time.monotonic() < deadline
