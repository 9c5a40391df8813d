"""Minted keys can do no more than the key that asks."""

import time

import pytest

from app.domain.access.scopes import Scope
from tests.support.api_deployment import Account, Client, body_of, error_of


def _entry(resource: str, level: str) -> dict[str, str]:
    return {"resource_type": f"RESOURCE_TYPE_{resource}", "access_level": f"ACCESS_LEVEL_{level}"}


READ = _entry("SECRETS", "READ")


def _minted(account: Account, path: str, **sent: object) -> Client:
    made = body_of(account.client().post(path, json=sent))
    return Client(account.deployment.app, made["key_secret"])


def test_a_new_key_is_shown_once_and_works(client: Client, account: Account) -> None:
    made = body_of(client.post("/v1/apikeys", json={"name": "for tests"}))
    assert set(made) == {"id", "name", "key_secret", "expires_at_ms"}
    assert (made["name"], made["expires_at_ms"]) == ("for tests", None)
    assert made["key_secret"].startswith("ak_")
    assert Client(account.deployment.app, made["key_secret"]).get("/v1/secrets").status_code == 200


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"expires_at_ms": None}}])
def test_everything_about_a_new_key_may_be_left_out(
    client: Client, options: dict[str, object]
) -> None:
    assert client.post("/v1/apikeys", **options).status_code == 200


def test_a_key_ends_when_it_was_told_to(client: Client) -> None:
    end = time.time_ns() // 1_000_000 + 3_600_000
    assert body_of(client.post("/v1/apikeys", json={"expires_at_ms": end}))["expires_at_ms"] == end


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        (_entry("SECRETS", "READ"), {"GET"}),
        (_entry("SECRETS", "WRITE"), {"GET", "POST"}),
        (_entry("DEVBOXES", "WRITE"), set()),
        (_entry("ACCOUNT", "WRITE"), set()),
    ],
)
def test_a_restricted_key_does_what_its_scopes_say(
    account: Account, entry: dict[str, str], allowed: set[str]
) -> None:
    client = _minted(account, "/v1/restricted_keys", scopes=[entry])
    answers = {method: client.send(method, "/v1/secrets") for method in ("GET", "POST")}
    assert {method for method, each in answers.items() if each.status_code != 403} == allowed


def test_a_restricted_key_is_known_by_its_prefix(client: Client) -> None:
    made = body_of(client.post("/v1/restricted_keys", json={"scopes": [READ]}))
    assert made["key_secret"].startswith("rk_")


@pytest.mark.parametrize(
    ("sent", "has"),
    [
        ([_entry("SECRETS", "READ")], [_entry("SECRETS", "READ")]),
        ([_entry("SECRETS", "READ"), _entry("SECRETS", "WRITE")], [_entry("SECRETS", "WRITE")]),
        ([_entry("ACCOUNT", "WRITE")] * 2, [_entry("ACCOUNT", "WRITE")]),
        (
            [_entry("BLUEPRINTS", "WRITE"), _entry("DEVBOXES", "WRITE")],
            [_entry("DEVBOXES", "WRITE")],
        ),
    ],
)
def test_a_new_restricted_key_is_shown_with_the_scopes_that_it_has(
    client: Client, sent: list[dict[str, str]], has: list[dict[str, str]]
) -> None:
    assert body_of(client.post("/v1/restricted_keys", json={"scopes": sent}))["scopes"] == has


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        [_entry("SECRETS", "NONE")],
        [_entry("DEVBOXES", "READ")],
        [_entry("ACCOUNT", "READ")],
        [_entry("BLUEPRINTS", "WRITE"), _entry("SNAPSHOTS", "WRITE"), _entry("OBJECTS", "WRITE")],
    ],
)
def test_a_restricted_key_that_could_do_nothing_is_refused(
    account: Account, scopes: list[dict[str, str]]
) -> None:
    client, services = account.client(), account.deployment.services
    before = len([*services.api_keys.list(account.id)])
    refused = client.post("/v1/restricted_keys", json={"scopes": scopes})
    assert error_of(refused) == (400, "invalid_request")
    assert "RESOURCE_TYPE_SECRETS with ACCESS_LEVEL_READ" in body_of(refused)["message"]
    assert len([*services.api_keys.list(account.id)]) == before


def test_account_write_gives_the_minting_of_keys(account: Account) -> None:
    client = _minted(account, "/v1/restricted_keys", scopes=[_entry("ACCOUNT", "WRITE")])
    assert client.post("/v1/apikeys").status_code == 200
    assert error_of(client.get("/v1/secrets")) == (403, "scope_missing")


def test_no_key_mints_more_than_it_has(account: Account) -> None:
    minter = account.client(frozenset({Scope.KEYS_WRITE, Scope.SECRETS_READ}))
    sent = {"scopes": [_entry("SECRETS", "WRITE")]}
    assert error_of(minter.post("/v1/restricted_keys", json=sent)) == (403, "scope_missing")


def test_a_full_key_of_a_restricted_one_is_as_restricted(account: Account) -> None:
    minter = account.client(frozenset({Scope.KEYS_WRITE, Scope.SECRETS_READ}))
    made = body_of(minter.post("/v1/apikeys"))
    client = Client(account.deployment.app, made["key_secret"])
    assert client.get("/v1/secrets").status_code == 200
    assert error_of(client.post("/v1/secrets")) == (403, "scope_missing")


def test_no_key_outlives_the_one_that_made_it(account: Account) -> None:
    end = time.time_ns() // 1_000_000 + 3_600_000
    minter = Client(account.deployment.app, account.token(expires_at_ms=end))
    later = minter.post("/v1/apikeys", json={"expires_at_ms": end + 1})
    assert error_of(later) == (400, "invalid_request")
    assert body_of(minter.post("/v1/apikeys"))["expires_at_ms"] == end


def test_a_fourth_level_of_keys_is_refused(account: Account) -> None:
    client = account.client()
    for path in ("/v1/apikeys", "/v1/apikeys", "/v1/apikeys"):
        client = Client(account.deployment.app, body_of(client.post(path))["key_secret"])
    sent = {"scopes": [_entry("SECRETS", "READ")]}
    assert error_of(client.post("/v1/apikeys")) == (403, "issuer_limit_reached")
    assert error_of(client.post("/v1/restricted_keys", json=sent)) == (403, "issuer_limit_reached")


@pytest.mark.parametrize("path", ["/v1/apikeys", "/v1/restricted_keys"])
def test_a_minted_key_dies_with_the_one_that_made_it(account: Account, path: str) -> None:
    services = account.deployment.services
    issued = services.api_keys.issue(account.id, name="a key")
    client = Client(account.deployment.app, issued.token.reveal())
    scopes = {"scopes": [_entry("SECRETS", "READ")]} if "restricted" in path else {}
    made = body_of(client.post(path, json=scopes))
    child = Client(account.deployment.app, made["key_secret"])
    assert child.get("/v1/secrets").status_code == 200
    services.api_keys.revoke(account.id, issued.id)
    assert error_of(child.get("/v1/secrets")) == (401, "unauthenticated")
