"""A POST that is sent again with its ``x-request-id`` is answered again, and done once."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support import databases
from tests.support.strongroom import Strongroom

_OVERLAPPING = 8


def test_a_repeated_create_gets_the_same_response_and_makes_one_secret(
    account: Account,
) -> None:
    first, again = (account.create("FIRST", request_id="retry-1") for _ in range(2))
    assert (again.status_code, again.content) == (200, first.content)
    assert account.names() == ["FIRST"]


def test_a_key_that_is_asked_for_again_is_the_same_key(account: Account) -> None:
    asked = (account.call("POST", "/v1/apikeys", {"name": "x"}, request_id="r") for _ in range(2))
    first, again = (answer.json() for answer in asked)
    assert again == first


def test_another_request_with_the_same_id_is_refused(account: Account) -> None:
    account.create("FIRST", request_id="retry-1")
    refused = account.create("SECOND", request_id="retry-1")
    assert (refused.status_code, refused.json()["code"]) == (400, "request_id_reused")
    assert account.names() == ["FIRST"]


def test_retries_that_overlap_the_first_try_get_the_same_response(
    server: Strongroom, account: Account
) -> None:
    with databases.chosen.no_writer(server.home):  # so that none is done before all are sent
        sent = [_send(account, "FIRST", "retry-1") for _ in range(_OVERLAPPING)]
    answers = [connection.getresponse() for connection in sent]
    assert [answer.status for answer in answers] == [200] * _OVERLAPPING
    assert len({answer.read() for answer in answers}) == 1
    assert account.names() == ["FIRST"]
    for connection in sent:
        connection.close()


def test_a_retry_is_recognised_after_a_restart(own_server: Strongroom) -> None:
    services = build(load(own_server.environment))
    with Account.new(own_server.url, services) as account:
        services.close()
        first = account.create("FIRST", request_id="retry-1")
        own_server.stop()
        own_server.start()
        again = account.create("FIRST", request_id="retry-1")
        assert (again.status_code, again.content) == (200, first.content)
        assert account.names() == ["FIRST"]


def _send(account: Account, name: str, request_id: str) -> HTTPConnection:
    connection = HTTPConnection(urlsplit(account.url).netloc, timeout=30)
    headers = {
        "Authorization": f"Bearer {account.token}",
        "Content-Type": "application/json",
        "x-request-id": request_id,
    }
    body = json.dumps({"name": name, "value": "a value"})
    connection.request("POST", "/v1/secrets", body, headers)
    return connection
