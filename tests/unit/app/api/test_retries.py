"""A POST that is sent again with its x-request-id is done once and answered alike."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.api_deployment import Account, Client, body_of, error_of

READ = {"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ"}
ID = {"x-request-id": "stainless-python-retry-1f0c"}


def _create(client: Client, **options: Any) -> Any:
    return client.post("/v1/secrets", json={"name": "A", "value": "x"}, headers=ID, **options)


def test_a_repeated_creation_is_answered_alike(client: Client) -> None:
    first, second = _create(client), _create(client)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.data == second.data
    assert client.names() == ["A"]


def test_without_an_id_a_repeated_creation_is_a_duplicate(client: Client) -> None:
    client.create("A")
    refused = client.post("/v1/secrets", json={"name": "A", "value": "x"})
    assert error_of(refused) == (400, "secret_name_exists")


@pytest.mark.parametrize("path", ["/v1/secrets/A/delete", "/v1/secrets/id/{id}/delete"])
def test_a_repeated_deletion_is_answered_alike(client: Client, path: str) -> None:
    made = client.create("A")
    answers = [client.post(path.format(id=made["id"]), headers=ID) for _ in range(2)]
    assert [body_of(each) for each in answers] == [made, made]


def test_a_repeated_update_does_not_undo_what_came_between(client: Client) -> None:
    client.create("A")
    first = client.post("/v1/secrets/A", json={"value": "1"}, headers=ID)
    between = body_of(client.post("/v1/secrets/A", json={"value": "2"}))
    assert client.post("/v1/secrets/A", json={"value": "1"}, headers=ID).data == first.data
    assert body_of(client.get("/v1/secrets/A")) == between


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/v1/apikeys", {"name": "a key"}), ("/v1/restricted_keys", {"scopes": [READ]})],
)
def test_a_repeated_minting_shows_the_same_key(client: Client, path: str, sent: object) -> None:
    first, second = (client.post(path, json=sent, headers=ID) for _ in range(2))
    assert first.status_code == 200
    assert first.data == second.data


@pytest.mark.parametrize(
    "layout",
    [
        b'{"name":"A","value":"x"}',
        b'{\n  "name": "A",\n  "value": "x"\n}',
        b'{"value":"x","name":"A"}',
        b'{"n\\u0061me":"A","value":"\\u0078"}',
    ],
)
def test_the_same_body_in_another_layout_is_the_same_request(client: Client, layout: bytes) -> None:
    first = _create(client)
    assert client.post_bytes("/v1/secrets", layout, headers=ID).data == first.data


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/secrets", {"name": "A", "value": "y"}),
        ("/v1/secrets", {"name": "B", "value": "x"}),
        ("/v1/secrets/A", {"value": "x"}),
        ("/v1/secrets/A/delete", {}),
        ("/v1/apikeys", {}),
    ],
)
def test_the_same_id_with_another_request_is_refused(
    client: Client, path: str, sent: dict[str, str]
) -> None:
    _create(client)
    refused = client.post(path, json=sent, headers=ID)
    assert error_of(refused) == (400, "request_id_reused")
    assert client.names() == ["A"]


def test_a_refused_request_may_be_mended_under_its_id(client: Client) -> None:
    refused = client.post("/v1/secrets", json={"name": "9", "value": "x"}, headers=ID)
    assert refused.status_code == 400
    assert _create(client).status_code == 200


def test_an_id_belongs_to_one_api_key(account: Account) -> None:
    one, other = account.client(), account.client()
    assert _create(one).status_code == 200
    assert error_of(_create(other)) == (400, "secret_name_exists")


def test_a_revoked_key_gets_no_stored_answer(account: Account) -> None:
    api_keys = account.deployment.services.api_keys
    issued = api_keys.issue(account.id, name="a key")
    client = Client(account.deployment.app, issued.token.reveal())
    assert _create(client).status_code == 200
    api_keys.revoke(account.id, issued.id)
    assert error_of(_create(client)) == (401, "unauthenticated")


def test_a_get_needs_no_usable_id(client: Client) -> None:
    assert client.get("/v1/secrets", headers={"x-request-id": "not visible"}).status_code == 200


def test_the_longest_id_is_accepted(client: Client) -> None:
    long = {"x-request-id": "~" * 255}
    sent = {"name": "A", "value": "x"}
    answers = [client.post("/v1/secrets", json=sent, headers=long) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]


def test_overlapping_repetitions_are_one_request(account: Account) -> None:
    token = account.token()
    clients = [Client(account.deployment.app, token) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = {answer.data for answer in threads.map(_create, clients)}
    assert len(answers) == 1
    assert account.client().names() == ["A"]


def test_our_own_request_id_differs_each_time(client: Client) -> None:
    first, second = _create(client), _create(client)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert ID["x-request-id"] not in (first.headers["x-request-id"], first.text)


def test_only_keyed_hashes_of_a_request_are_stored(account: Account) -> None:
    canary = "kumquat-value"
    sent = json.dumps({"name": "A", "value": canary}).encode()
    account.client().post_bytes("/v1/secrets", sent, headers=ID)
    with account.deployment.rows() as rows:
        stored = rows.all("stored_responses", account_id=account.id)
    assert len(stored) == 1
    assert canary not in str(stored)
    assert stored[0]["expires_at_ms"] > time.time() * 1000
