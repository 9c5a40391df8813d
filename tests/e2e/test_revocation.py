"""A revoked API key, and each that was made with it, is refused on the next request everywhere."""

from collections.abc import Sequence

import pytest
import requests

from app.services.container import Services
from tests.e2e.account import Account
from tests.support.strongroom import Strongroom

_WORKERS = 2
_AT_ONCE = 16
_MOST_CONNECTIONS = 400


def workers_of(server: Strongroom, answers: Sequence[requests.Response]) -> set[int]:
    """The processes that gave these answers, by the log."""
    ids = {answer.headers["x-request-id"] for answer in answers}
    return {line["pid"] for line in server.logged("request_id", ids)}


def ask(connections: Sequence[Account]) -> list[requests.Response]:
    return [each.call("GET", "/v1/secrets") for each in connections]


def connected_to_all(
    server: Strongroom, account: Account
) -> tuple[list[Account], list[requests.Response]]:
    """Connections to every worker, each of which has answered, and the answers."""
    connections: list[Account] = []
    answers: list[requests.Response] = []
    while len(workers_of(server, answers)) < _WORKERS:
        assert len(connections) < _MOST_CONNECTIONS
        more = [
            Account(account.url, account.id, account.api_key_id, account.token)
            for _ in range(_AT_ONCE)
        ]
        connections += more
        answers += ask(more)
    assert {answer.status_code for answer in answers} == {200}
    return connections, answers


def child_of(account: Account) -> Account:
    """The account through a key that its key mints."""
    made = account.call("POST", "/v1/apikeys", {}).json()
    return Account(account.url, account.id, made["id"], made["key_secret"])


def test_every_worker_refuses_a_key_from_its_revocation_on(
    server: Strongroom, operator: Services, account: Account
) -> None:
    connections, before = connected_to_all(server, account)
    operator.api_keys.revoke(account.id, account.api_key_id)
    after = ask(connections)
    assert {answer.status_code for answer in after} == {401}
    assert workers_of(server, after) == workers_of(server, before)


@pytest.mark.parametrize("revoked", [0, 1], ids=["its root", "the key above it"])
def test_every_worker_refuses_a_key_once_its_issuer_is_revoked(
    server: Strongroom, operator: Services, account: Account, revoked: int
) -> None:
    account.create("A")
    child = child_of(account)
    grandchild = child_of(child)
    connections, before = connected_to_all(server, grandchild)
    tokens = [
        each.call("POST", "/v1/injections", {"secrets": {"A": "A"}}).json()["token"]
        for each in connections[:_AT_ONCE]
    ]
    operator.api_keys.revoke(account.id, (account, child)[revoked].api_key_id)
    after = ask(connections)
    assert {answer.status_code for answer in after} == {401}
    assert workers_of(server, after) == workers_of(server, before)
    redeemed = [redeem(server, token) for token in tokens]
    assert {answer.status_code for answer in redeemed} == {401}


def redeem(server: Strongroom, token: str) -> requests.Response:
    return requests.post(
        f"{server.url}/v1/injections/redeem",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
