"""Killing the server during a redemption never leaves a token used and its values lost."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.e2e.injections.calls import inject, redeem
from tests.servers.strongroom import Strongroom, running

_SECRETS = [f"SECRET_{number}" for number in range(50)]
_LONGEST_SECONDS = 0.06  # a redemption takes a tenth of it


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
    chance = random.Random(20_261_124)
    for number in range(50 if proving else 6):
        with Account.new(own_server.url, own_operator) as account:
            for name in _SECRETS:
                account.create(name, f"value of {name}")
            token = inject(account, *_SECRETS)["token"]
            nonce = f"nonce-{number:032}"
            with ThreadPoolExecutor(1) as pool:
                pool.submit(_redeem_somehow, account.url, token, nonce)
                time.sleep(chance.uniform(0, _LONGEST_SECONDS))
                own_server.kill()
        own_server.start()

        again = redeem(own_server.url, token, nonce)

        assert again.json() == {"environment": {name: f"value of {name}" for name in _SECRETS}}
        assert redeem(own_server.url, token, "n" * 22).status_code != 200


def _redeem_somehow(url: str, token: str, nonce: str) -> None:
    with suppress(requests.RequestException):
        redeem(url, token, nonce)
