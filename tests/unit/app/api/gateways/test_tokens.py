"""Gateway tokens over HTTP: minted, listed and revoked; the box is any id of the caller's."""

from typing import Any

import pytest

from app.domain.access.scopes import ALL_SCOPES, Scope
from app.domain.gateways import tokens as domain
from tests.support.api_deployment import Account, Client, body_of, error_of

PATH = "/v1/gateway-tokens"
BOX = "/v1/devboxes/a-box/create_gateway_token"


def mint(client: Client, path: str = BOX, **more: object) -> dict[str, Any]:
    made = client.post(path, json={"gateway": "anthropic", "secret": "A", **more})
    assert made.status_code == 200, made.text
    return body_of(made)


def config(client: Client, name: str = "example", **more: object) -> dict[str, Any]:
    body = {
        "name": name,
        "endpoint": "https://api.example.com",
        "auth_mechanism": {"type": "bearer"},
        **more,
    }
    made = client.post("/v1/gateway-configs", json=body)
    assert made.status_code == 200, made.text
    return body_of(made)


def listed(client: Client, query: str = "") -> list[str]:
    return [each["id"] for each in body_of(client.get(PATH + query))["gateway_tokens"]]


@pytest.fixture
def client(client: Client) -> Client:
    """A client of an account with a secret."""
    client.create("A")
    return client


def test_a_token_has_the_official_shape(client: Client) -> None:
    made = config(client, auth_mechanism={"type": "header", "key": "x-api-key"})
    minted = mint(client, gateway="example")
    assert minted["token"].startswith("gws_")
    assert minted["url"] == f"https://gw.example.com/{made['id']}"
    assert minted["endpoint"] == made["endpoint"]
    assert minted["auth_mechanism"] == made["auth_mechanism"]
    assert minted["devbox_id"] == "a-box"
    assert minted["gateway_config_id"] == made["id"]


def test_config_and_secret_are_named_by_id_or_by_name(client: Client) -> None:
    made = config(client)
    secret = body_of(client.get("/v1/secrets/A"))
    minted = [
        mint(client, gateway=gateway, secret=ref)
        for gateway in ("example", made["id"])
        for ref in ("A", secret["id"])
    ]
    assert {each["gateway_config_id"] for each in minted} == {made["id"]}
    assert len({each["token"] for each in minted}) == 4


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"gateway": "exampl"}, (404, "gateway_config_not_found")),
        ({"gateway": "EXAMPLE"}, (404, "gateway_config_not_found")),
        ({"gateway": "x\x00"}, (404, "gateway_config_not_found")),
        ({"gateway": "gwc_0000000000000000000001"}, (404, "gateway_config_not_found")),
        ({"secret": "MISSING"}, (404, "secret_not_found")),
        ({"secret": "A\x00"}, (404, "secret_not_found")),
        ({"secret": "sec_0000000000000000000001"}, (404, "secret_not_found")),
        ({"ttl_seconds": 0}, (400, "invalid_request")),
        ({"ttl_seconds": 30 * 24 * 3600 + 1}, (400, "invalid_request")),
        ({"limits": {"in_flight": 0}}, (400, "invalid_request")),
        ({"limits": {"more": 1}}, (400, "invalid_request")),
        ({"sources": ["192.0.2.1/24"]}, (400, "invalid_request")),
        ({"sources": ["fe80::1%eth0"]}, (400, "invalid_request")),
        ({"pin": "always"}, (400, "invalid_request")),
        ({"allow": []}, (400, "invalid_request")),
        ({"allow": [{"path": "x"}]}, (400, "invalid_request")),
        ({"unknown": 1}, (400, "invalid_request")),
    ],
)
def test_a_token_that_could_not_be_used_is_refused(
    client: Client, changes: dict[str, object], error: tuple[int, str]
) -> None:
    config(client)
    body = {"gateway": "example", "secret": "A", **changes}
    assert error_of(client.post(BOX, json=body)) == error
    assert listed(client) == []


@pytest.mark.parametrize("box", ["a b", "x" * 129, "a%00b", "ä"])
def test_a_box_id_that_could_not_be_a_label_is_refused(client: Client, box: str) -> None:
    body = {"gateway": "anthropic", "secret": "A"}
    answer = client.post(f"/v1/devboxes/{box}/create_gateway_token", json=body)
    assert error_of(answer) == (400, "invalid_request")


def test_a_config_takes_the_secrets_that_it_lists(client: Client) -> None:
    client.create("B_1")
    config(client, secrets=["B_*"])
    assert mint(client, gateway="example", secret="B_1")["token"]
    answer = client.post(BOX, json={"gateway": "example", "secret": "A"})
    assert error_of(answer) == (403, "secret_not_for_gateway")


def test_what_a_token_is_limited_to_is_shown_with_it(client: Client) -> None:
    minted = mint(
        client,
        ttl_seconds=60,
        allow=[{"methods": ["POST"], "path": "/v1/messages"}],
        limits={"requests_per_minute": 60, "in_flight": 2, "requests": 100},
        sources=["2001:db8::/32", "192.0.2.0/24"],
        pin="first_use",
    )
    shown = body_of(client.get(f"{PATH}/{minted['id']}"))
    assert shown["allow"] == [{"methods": ["POST"], "path": "/v1/messages"}]
    assert shown["limits"] == {"requests_per_minute": 60, "in_flight": 2, "requests": 100}
    assert shown["sources"] == ["192.0.2.0/24", "2001:db8::/32"]
    assert shown["pin"] == "first_use"
    assert shown["expires_at_ms"] - shown["create_time_ms"] == 60_000
    assert shown["status"] == "live"
    assert minted["token"] not in str(shown)


def test_a_token_lives_for_a_day_unless_it_says_so(client: Client) -> None:
    shown = body_of(client.get(f"{PATH}/{mint(client)['id']}"))
    assert shown["expires_at_ms"] - shown["create_time_ms"] == 24 * 3600 * 1000


def test_a_token_expires_with_the_key_that_mints_it(client: Client, account: Account) -> None:
    now_ms = body_of(client.get("/v1/secrets/A"))["create_time_ms"]
    minting = client.with_token(account.token(expires_at_ms=now_ms + 600_000))
    assert mint(minting)["expires_at_ms"] == now_ms + 600_000


def test_a_repeated_mint_gets_the_same_token(client: Client) -> None:
    body, headers = {"gateway": "anthropic", "secret": "A"}, {"x-request-id": "a-mint"}
    answers = [body_of(client.post(BOX, json=body, headers=headers)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(listed(client)) == 1


def test_tokens_are_listed_by_box_and_by_config(client: Client) -> None:
    config(client)
    first = mint(client)
    second = mint(client, gateway="example")
    third = mint(client, "/v1/devboxes/another/create_gateway_token", gateway="example")
    assert listed(client) == [third["id"], second["id"], first["id"]]
    assert listed(client, "?devbox_id=a-box") == [second["id"], first["id"]]
    of_config = f"?gateway_config_id={second['gateway_config_id']}"
    assert listed(client, of_config) == [third["id"], second["id"]]
    assert listed(client, f"{of_config}&devbox_id=a-box") == [second["id"]]
    page = body_of(client.get(f"{PATH}?limit=2"))
    assert page["has_more"]
    after = page["gateway_tokens"][-1]["id"]
    assert listed(client, f"?limit=2&starting_after={after}") == [first["id"]]


def test_a_revoked_token_is_shown_as_such(client: Client) -> None:
    minted = mint(client)
    revoked = body_of(client.post(f"{PATH}/{minted['id']}/revoke"))
    assert revoked["status"] == "revoked"
    assert revoked["revoked_at_ms"] >= revoked["create_time_ms"]
    again = body_of(client.post(f"{PATH}/{minted['id']}/revoke"))
    assert again == revoked


def test_all_tokens_of_a_box_are_revoked_at_once(client: Client) -> None:
    in_box = [mint(client)["id"] for _ in range(2)]
    other = mint(client, "/v1/devboxes/another/create_gateway_token")["id"]
    answers = [
        body_of(client.post(f"{PATH}/revoke", json={"devbox_id": "a-box"})) for _ in range(2)
    ]
    assert answers == [{"revoked": 2}, {"revoked": 0}]
    states = {each["id"]: each["status"] for each in body_of(client.get(PATH))["gateway_tokens"]}
    assert states == {**dict.fromkeys(in_box, "revoked"), other: "live"}


def test_another_accounts_token_is_not_there(client: Client, account: Account) -> None:
    other = account.deployment.new_account().client()
    other.create("A")
    minted = mint(other)
    assert listed(client) == []
    assert error_of(client.get(f"{PATH}/{minted['id']}")) == (404, "gateway_token_not_found")
    revoked = client.post(f"{PATH}/{minted['id']}/revoke")
    assert error_of(revoked) == (404, "gateway_token_not_found")
    assert body_of(client.post(f"{PATH}/revoke", json={"devbox_id": "a-box"})) == {"revoked": 0}
    assert listed(other, "?devbox_id=a-box") == [minted["id"]]


def test_a_key_mints_as_many_live_tokens_as_it_may(
    client: Client, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.gateways.tokens.MAX_LIVE_TOKENS", 2)
    first = mint(client)
    mint(client)
    body = {"gateway": "anthropic", "secret": "A"}
    assert error_of(client.post(BOX, json=body)) == (400, "gateway_token_limit_reached")
    assert mint(account.client())["id"], "another key has its own limit"
    client.post(f"{PATH}/{first['id']}/revoke")
    assert mint(client)["id"]
    assert domain.MAX_LIVE_TOKENS > 2


def test_a_server_without_a_gateway_mints_nothing(
    client: Client, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account.deployment.services.gateway_tokens, "_urls", None)
    answer = client.post(BOX, json={"gateway": "anthropic", "secret": "A"})
    assert error_of(answer) == (400, "gateway_not_configured")


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        (Scope.GATEWAYS_READ, "GET", "/v1/gateway-configs", None),
        (Scope.GATEWAYS_READ, "GET", "/v1/gateway-configs/gwc_1", None),
        (Scope.GATEWAYS_READ, "GET", "/v1/gateway-uses", None),
        (Scope.GATEWAYS_WRITE, "POST", "/v1/gateway-configs", {}),
        (Scope.GATEWAYS_WRITE, "POST", "/v1/gateway-configs/gwc_1", {}),
        (Scope.GATEWAYS_WRITE, "POST", "/v1/gateway-configs/gwc_1/delete", {}),
        (Scope.GATEWAYS_USE, "POST", BOX, {"gateway": "anthropic", "secret": "A"}),
        (Scope.GATEWAYS_USE, "GET", PATH, None),
        (Scope.GATEWAYS_USE, "GET", f"{PATH}/gwt_1", None),
        (Scope.GATEWAYS_USE, "POST", f"{PATH}/gwt_1/revoke", {}),
        (Scope.GATEWAYS_USE, "POST", f"{PATH}/revoke", {"devbox_id": "a-box"}),
    ],
)
def test_each_operation_needs_its_scope(
    account: Account, client: Client, scope: Scope, method: str, path: str, body: object
) -> None:
    without = account.client(ALL_SCOPES - {scope})
    refused = without.send(method, path, json=body) if body is not None else without.get(path)
    assert error_of(refused) == (403, "scope_missing")
    with_it = account.client(frozenset({scope}))
    admitted = with_it.send(method, path, json=body) if body is not None else with_it.get(path)
    assert admitted.status_code in {200, 400, 404}


def test_a_key_that_may_use_gateways_reads_no_value_and_changes_no_config(
    account: Account, client: Client
) -> None:
    made = config(client)
    using = account.client(frozenset({Scope.GATEWAYS_USE}))
    minted = mint(using, gateway="example")
    body = {"name": "n", "endpoint": "https://evil.example", "auth_mechanism": {"type": "bearer"}}
    for method, path, sent in (
        ("POST", "/v1/gateway-configs", body),
        ("POST", f"/v1/gateway-configs/{made['id']}", {"endpoint": "https://evil.example"}),
        ("POST", f"/v1/gateway-configs/{made['id']}/delete", {}),
        ("POST", "/v1/injections", {"secrets": {"A": "A"}}),
        ("GET", "/v1/secrets", None),
        ("GET", "/v1/secrets/A", None),
        ("POST", "/v1/secrets", {"name": "B", "value": "x"}),
        ("POST", "/v1/apikeys", {}),
    ):
        answer = using.send(method, path, json=sent) if sent is not None else using.get(path)
        assert error_of(answer) == (403, "scope_missing"), path
    holder = using.with_token(minted["token"])
    assert error_of(holder.get(PATH)) == (401, "unauthenticated")
    assert error_of(holder.post("/v1/injections/redeem", json={})) == (401, "injection_refused")


def test_a_writer_of_configs_without_use_joins_no_secret(account: Account, client: Client) -> None:
    writer = account.client(frozenset({Scope.GATEWAYS_READ, Scope.GATEWAYS_WRITE}))
    body = {
        "name": "n",
        "endpoint": "https://evil.example",
        "auth_mechanism": {"type": "bearer"},
        "custom_headers": [{"name": "x-a", "secret": "A"}],
    }
    assert error_of(writer.post("/v1/gateway-configs", json=body)) == (403, "scope_missing")
    made = config(client)
    changed = writer.post(
        f"/v1/gateway-configs/{made['id']}", json={"custom_headers": body["custom_headers"]}
    )
    assert error_of(changed) == (403, "scope_missing")
