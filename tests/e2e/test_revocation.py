"""A revoked API key is refused on the next request, whichever process gets it."""

import json

from app.services.container import Services
from tests.e2e.account import Account
from tests.servers.strongroom import Strongroom

_CONNECTIONS = 24


def workers_of(server: Strongroom, request_ids: set[str]) -> set[int]:
    """The processes that answered these requests, by the log."""
    lines = map(json.loads, server.log.read_text().splitlines())
    return {line["pid"] for line in lines if line.get("request_id") in request_ids}


def test_every_worker_refuses_a_key_from_its_revocation_on(
    server: Strongroom, operator: Services, account: Account
) -> None:
    connections = [
        Account(account.url, account.id, account.api_key_id, account.token)
        for _ in range(_CONNECTIONS)
    ]
    before = [each.call("GET", "/v1/secrets") for each in connections]
    assert {answer.status_code for answer in before} == {200}
    operator.api_keys.revoke(account.id, account.api_key_id)
    after = [each.call("GET", "/v1/secrets") for each in connections]
    assert {answer.status_code for answer in after} == {401}
    for answers in (before, after):
        ids = {answer.headers["x-request-id"] for answer in answers}
        assert len(workers_of(server, ids)) == 2
