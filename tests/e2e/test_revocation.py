"""A revoked API key is refused on the next request, whichever process gets it."""

import json
from collections.abc import Sequence

import requests

from app.services.container import Services
from tests.e2e.account import Account
from tests.servers.strongroom import Strongroom

_WORKERS = 2
_AT_ONCE = 16
_MOST_CONNECTIONS = 400


def workers_of(server: Strongroom, answers: Sequence[requests.Response]) -> set[int]:
    """The processes that gave these answers, by the log."""
    ids = {answer.headers["x-request-id"] for answer in answers}
    lines = map(json.loads, server.log.read_text().splitlines())
    return {line["pid"] for line in lines if line.get("request_id") in ids}


def ask(connections: Sequence[Account]) -> list[requests.Response]:
    return [each.call("GET", "/v1/secrets") for each in connections]


def test_every_worker_refuses_a_key_from_its_revocation_on(
    server: Strongroom, operator: Services, account: Account
) -> None:
    connections: list[Account] = []
    before: list[requests.Response] = []
    while len(workers_of(server, before)) < _WORKERS:
        assert len(connections) < _MOST_CONNECTIONS
        more = [
            Account(account.url, account.id, account.api_key_id, account.token)
            for _ in range(_AT_ONCE)
        ]
        connections += more
        before += ask(more)
    assert {answer.status_code for answer in before} == {200}
    operator.api_keys.revoke(account.id, account.api_key_id)
    after = ask(connections)
    assert {answer.status_code for answer in after} == {401}
    assert workers_of(server, after) == workers_of(server, before)
