"""A key or an account over its limit gets 429, after its authentication and before any work."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app import bootstrap
from app.server.application import Application
from config import load
from tests.support import databases
from tests.support.api_deployment import Account, ApiDeployment, Client, body_of, error_of


@contextmanager
def limited(deployment: ApiDeployment, **rates: str) -> Iterator[ApiDeployment]:
    """Another process of the deployment, with rate limits."""
    names = {f"STRONGROOM_RATE_LIMIT_{name.upper()}": rate for name, rate in rates.items()}
    home = deployment.settings.home
    chosen = {**databases.chosen.settings(home), **names}
    settings = load({"STRONGROOM_HOME": str(home), **chosen})
    services = bootstrap.build(settings)
    try:
        yield ApiDeployment(settings, services, Application(lambda: services))
    finally:
        services.close()


@pytest.fixture
def process(deployment: ApiDeployment) -> Iterator[ApiDeployment]:
    """A process that takes three requests a minute of each key."""
    with limited(deployment, key="3/minute") as process:
        yield process


@pytest.fixture
def account(process: ApiDeployment) -> Account:
    return process.new_account()


def statuses(client: Client, count: int, path: str = "/v1/secrets") -> list[int]:
    return [client.get(path).status_code for _ in range(count)]


def inject(client: Client) -> str:
    """Create a secret and an injection, which are two requests. Returns its token."""
    client.create("A")
    made = client.post("/v1/injections", json={"secrets": {"A": "A"}})
    token = body_of(made)["token"]
    assert isinstance(token, str)
    return token


def redeem(client: Client, token: str) -> int:
    return client.with_token(token).post("/v1/injections/redeem").status_code


def test_a_key_over_its_limit_is_429_with_the_time_to_wait(account: Account) -> None:
    client = account.client()
    assert statuses(client, 3) == [200] * 3
    refused = client.get("/v1/secrets")
    assert error_of(refused) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "x-should-retry" not in refused.headers


def test_another_key_of_the_account_is_not_refused(account: Account) -> None:
    assert statuses(account.client(), 4)[-1] == 429
    assert statuses(account.client(), 1) == [200]


def test_another_account_is_not_refused(process: ApiDeployment, account: Account) -> None:
    assert statuses(account.client(), 4)[-1] == 429
    assert statuses(process.new_account().client(), 1) == [200]


def test_all_keys_of_an_account_share_the_limit_of_the_account(deployment: ApiDeployment) -> None:
    with limited(deployment, account="3/minute") as process:
        account = process.new_account()
        found = [account.client().get("/v1/secrets").status_code for _ in range(4)]
    assert found == [200, 200, 200, 429]


def test_what_is_not_found_counts_too(account: Account) -> None:
    assert statuses(account.client(), 4, "/v1/nothing") == [404, 404, 404, 429]


def test_a_wrong_key_counts_for_nobody(process: ApiDeployment, account: Account) -> None:
    token = account.token()
    assert statuses(Client(process.app, token[:-1] + "?"), 9) == [401] * 9
    assert statuses(Client(process.app, token), 3) == [200] * 3


def test_a_probe_is_never_refused(process: ApiDeployment) -> None:
    assert statuses(process.anyone(), 9, "/healthz") == [200] * 9


def test_a_write_that_is_refused_does_nothing(account: Account) -> None:
    client = account.client()
    statuses(client, 3)
    refused = client.post("/v1/secrets", json={"name": "A", "value": "a value"})
    assert refused.status_code == 429
    assert account.client().names() == []


def test_a_redemption_counts_for_the_key_that_made_the_injection(account: Account) -> None:
    client = account.client()
    assert redeem(client, inject(client)) == 200
    assert statuses(client, 1) == [429]
    assert statuses(account.client(), 1) == [200]


def test_a_redemption_that_is_refused_leaves_the_token_unused(
    deployment: ApiDeployment, account: Account
) -> None:
    client = account.client()
    token = inject(client)
    statuses(client, 1)
    assert redeem(client, token) == 429
    unlimited = Client(deployment.app, None)
    assert redeem(unlimited, token) == 200


def test_a_used_token_counts_for_nobody(account: Account) -> None:
    client = account.client()
    token = inject(client)
    with limited(account.deployment) as unlimited:
        assert redeem(Client(unlimited.app, None), token) == 200
    assert [redeem(client, token) for _ in range(9)] == [401] * 9
    assert statuses(client, 1) == [200]
