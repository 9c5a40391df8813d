"""A lost answer costs nothing to whoever holds the nonce, and gives nothing to anybody else."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from app.client.redeem import Client
from app.client.redeem import redeem as redeem_by_itself
from app.services.container import Services
from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.support.faulty_proxy import FaultyProxy, truncate
from tests.support.strongroom import Strongroom

NONCE = "the same nonce, again.".replace(" ", "_")
REDEEM = Path(__file__).parents[3] / "app" / "client" / "redeem.py"


@pytest.fixture
def proxy(server: Strongroom) -> Iterator[FaultyProxy]:
    with closing(FaultyProxy(server.url.removeprefix("http://"))) as proxy:
        yield proxy


@pytest.fixture
def lost(account: Account, proxy: FaultyProxy) -> str:
    """A token that was redeemed with the nonce, and whose answer nobody got."""
    account.create("API_TOKEN", "old value")
    token = inject(account, "API_TOKEN")["token"]
    with proxy.failing(truncate(0), times=1), pytest.raises(requests.ConnectionError):
        redeem(f"http://{proxy.host}", token, NONCE)
    return token


def test_the_same_nonce_gets_the_current_values(account: Account, lost: str) -> None:
    account.call("POST", "/v1/secrets/API_TOKEN", {"value": "new value"})

    again = redeem(account.url, lost, NONCE)

    assert again.json() == {"environment": {"API_TOKEN": "new value"}}


@pytest.mark.parametrize("nonce", [None, NONCE[::-1]])
def test_another_nonce_or_none_is_refused(account: Account, lost: str, nonce: str | None) -> None:
    assert redeem(account.url, lost, nonce).status_code == 401


def revoke_key(account: Account, operator: Services) -> None:
    operator.api_keys.revoke(account.id, account.api_key_id)


def delete_secret(account: Account, operator: Services) -> None:
    assert account.call("POST", "/v1/secrets/API_TOKEN/delete", {}).ok


def take_capability(account: Account, operator: Services) -> None:
    operator.accounts.set_devbox(account.id, devbox=False)


@pytest.mark.parametrize("change", [revoke_key, delete_secret, take_capability])
def test_an_injection_that_ended_is_not_redeemed_again_with_its_nonce(
    account: Account, operator: Services, lost: str, change: Callable[[Account, Services], None]
) -> None:
    change(account, operator)

    assert redeem(account.url, lost, NONCE).status_code == 401


def test_the_command_asks_again_by_itself(account: Account, proxy: FaultyProxy) -> None:
    account.create("API_TOKEN", "the value")
    environment = {
        "RUNLOOP_BASE_URL": f"http://{proxy.host}",
        "STRONGROOM_INJECTION_TOKEN": inject(account, "API_TOKEN")["token"],
    }
    with proxy.failing(truncate(0), times=2):
        done = subprocess.run(
            [sys.executable, "-I", str(REDEEM), "--", "/usr/bin/printenv", "API_TOKEN"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stdout, done.stderr) == (0, "the value\n", "")
    assert proxy.connections == 3


def test_a_response_cut_off_at_any_byte_is_retried(
    account: Account, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.client.redeem.time.sleep", lambda _: None)
    account.create("API_TOKEN", "the value")
    for size in itertools.count():
        client = Client(f"http://{proxy.host}", inject(account, "API_TOKEN")["token"], 25)
        before = proxy.connections
        with proxy.failing(truncate(size), times=1):
            assert redeem_by_itself(client) == {"API_TOKEN": "the value"}
        if proxy.connections == before + 1:  # it was whole
            break
    assert size > len('{"environment":{"API_TOKEN":"the value"}}')
