"""Admission, and the order of its refusals."""

import time

import pytest

from app.domain.access.scopes import ALL_SCOPES, Scope
from tests.support.api_deployment import Account, ApiDeployment, Client, error_of

OPERATIONS = [
    ("GET", "/v1/secrets", Scope.SECRETS_READ),
    ("POST", "/v1/secrets", Scope.SECRETS_WRITE),
    ("GET", "/v1/secrets/A", Scope.SECRETS_READ),
    ("POST", "/v1/secrets/A", Scope.SECRETS_WRITE),
    ("POST", "/v1/secrets/A/delete", Scope.SECRETS_WRITE),
    ("GET", "/v1/secrets/id/sec_1", Scope.SECRETS_READ),
    ("POST", "/v1/secrets/id/sec_1/update", Scope.SECRETS_WRITE),
    ("POST", "/v1/secrets/id/sec_1/delete", Scope.SECRETS_WRITE),
    *(
        (method, f"/v1/secrets/{secret}/{path}", scope)
        for secret in ("A", "id/sec_1")
        for method, path, scope in (
            ("GET", "versions", Scope.SECRETS_READ),
            ("POST", "rollback", Scope.SECRETS_WRITE),
            ("POST", "versions/purge", Scope.SECRETS_WRITE),
            ("POST", "versions/1/delete", Scope.SECRETS_WRITE),
        )
    ),
    ("POST", "/v1/apikeys", Scope.KEYS_WRITE),
    ("POST", "/v1/restricted_keys", Scope.KEYS_WRITE),
    ("POST", "/v1/injections", Scope.SECRETS_INJECT),
    ("GET", "/v1/injections", Scope.SECRETS_INJECT),
    ("GET", "/v1/injections/inj_1", Scope.SECRETS_INJECT),
    ("POST", "/v1/injections/inj_1/revoke", Scope.SECRETS_INJECT),
    ("POST", "/v1/gateway-configs", Scope.GATEWAYS_WRITE),
    ("GET", "/v1/gateway-configs", Scope.GATEWAYS_READ),
    ("GET", "/v1/gateway-configs/gwc_1", Scope.GATEWAYS_READ),
    ("POST", "/v1/gateway-configs/gwc_1", Scope.GATEWAYS_WRITE),
    ("POST", "/v1/gateway-configs/gwc_1/delete", Scope.GATEWAYS_WRITE),
    ("POST", "/v1/devboxes/dbx_1/create_gateway_token", Scope.GATEWAYS_USE),
    ("GET", "/v1/gateway-tokens", Scope.GATEWAYS_USE),
    ("GET", "/v1/gateway-tokens/gwt_1", Scope.GATEWAYS_USE),
    ("POST", "/v1/gateway-tokens/gwt_1/revoke", Scope.GATEWAYS_USE),
    ("POST", "/v1/gateway-tokens/revoke", Scope.GATEWAYS_USE),
    ("GET", "/v1/gateway-uses", Scope.GATEWAYS_READ),
    ("GET", "/v1/audit-events", Scope.AUDIT_READ),
]
BY_INJECTION_TOKEN = {"injections.redeem_injection"}
NOWHERE = [
    ("GET", "/v1"),
    ("GET", "/v1/"),
    ("GET", "/v1/nothing"),
    ("PUT", "/v1/secrets"),
    ("OPTIONS", "/v1/secrets"),
    ("DELETE", "/v1/secrets/A"),
    ("POST", "/v1/secrets/"),
    ("TRACE", "/v1/apikeys"),
]


def test_every_route_under_v1_is_listed_here(deployment: ApiDeployment) -> None:
    listed = {
        deployment.app.url_map.bind("").match(path, method)[0] for method, path, _ in OPERATIONS
    }
    routes = deployment.app.url_map.iter_rules()
    assert listed | BY_INJECTION_TOKEN == {
        rule.endpoint for rule in routes if rule.rule.startswith("/v1/")
    }


@pytest.mark.parametrize(("method", "path"), [*((m, p) for m, p, _ in OPERATIONS), *NOWHERE])
def test_without_a_credential_everything_under_v1_is_401(
    deployment: ApiDeployment, method: str, path: str
) -> None:
    refused = deployment.anyone().send(method, path)
    assert error_of(refused) == (401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_a_key_without_the_scope_is_403(
    account: Account, method: str, path: str, scope: Scope
) -> None:
    refused = account.client(ALL_SCOPES - {scope}).send(method, path, data=b"not even JSON")
    assert error_of(refused) == (403, "scope_missing")


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_a_key_with_the_scope_gets_past_it(
    account: Account, method: str, path: str, scope: Scope
) -> None:
    assert account.client(frozenset({scope})).send(method, path).status_code in {200, 400, 404}


@pytest.mark.parametrize(("method", "path"), [*((m, p) for m, p, _ in OPERATIONS), *NOWHERE])
def test_an_account_without_the_devbox_capability_is_403(
    deployment: ApiDeployment, method: str, path: str
) -> None:
    client = deployment.new_account(devbox=False).client()
    assert error_of(client.send(method, path)) == (403, "devbox_capability_missing")


def test_taking_the_capability_holds_from_the_next_request_on(account: Account) -> None:
    client = account.client()
    assert client.get("/v1/secrets").status_code == 200
    account.deployment.services.accounts.set_devbox(account.id, devbox=False)
    assert error_of(client.get("/v1/secrets")) == (403, "devbox_capability_missing")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/secrets/", 404),
        ("GET", "/v1//secrets", 404),
        ("GET", "//v1/secrets", 404),
        ("GET", "/v1/secrets/../secrets", 404),
        ("GET", "/v1/secrets/a/b%x?y", 404),
        ("PUT", "/v1/secrets", 405),
        ("OPTIONS", "/v1/secrets", 405),
        ("PATCH", "/v1/secrets/A", 405),
        ("GET", "/v1/apikeys", 405),
        ("KUMQUAT", "/v1/secrets", 405),
    ],
)
def test_a_wrong_path_or_method_is_told_in_json(
    client: Client, method: str, path: str, status: int
) -> None:
    code = "not_found" if status == 404 else "method_not_allowed"
    assert error_of(client.send(method, path)) == (status, code)


def test_a_wrong_method_is_told_the_right_ones(client: Client) -> None:
    assert client.send("PUT", "/v1/secrets").headers["Allow"] == "GET, HEAD, POST"


def test_head_answers_like_get_without_a_body(client: Client) -> None:
    head, get = client.send("HEAD", "/v1/secrets"), client.get("/v1/secrets")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v2/secrets",
        "/docs/../healthz",
        "/docs/nothing.js",
        "/static/x",
        "/V1/secrets",
    ],
)
def test_elsewhere_a_wrong_path_is_404_for_anyone(deployment: ApiDeployment, path: str) -> None:
    assert error_of(deployment.anyone().get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "Bearer",
        "Bearer ",
        "Bearer  {}",
        "Basic {}",
        "Bearer {} x",
        "Bearer {}x",
        "Bearer x{}",
        "Bearer {}\u00e9",
        "Token {}",
        "Bearer,{}",
    ],
)
def test_a_malformed_credential_is_401(account: Account, form: str) -> None:
    header = form.format(account.token())
    refused = account.deployment.anyone().get("/v1/secrets", headers={"Authorization": header})
    assert error_of(refused) == (401, "unauthenticated")


def test_the_scheme_is_known_in_either_case(account: Account) -> None:
    header = {"Authorization": f"bearer {account.token()}"}
    assert account.deployment.anyone().get("/v1/secrets", headers=header).status_code == 200


def test_a_revoked_key_is_refused_on_the_next_request(account: Account) -> None:
    issued = account.deployment.services.api_keys.issue(account.id, name="a key")
    client = Client(account.deployment.app, issued.token.reveal())
    assert client.get("/v1/secrets").status_code == 200
    account.deployment.services.api_keys.revoke(account.id, issued.id)
    assert error_of(client.get("/v1/secrets")) == (401, "unauthenticated")


def test_an_expired_key_is_refused(account: Account) -> None:
    client = Client(
        account.deployment.app, account.token(expires_at_ms=time.time_ns() // 1_000_000 + 200)
    )
    deadline = time.monotonic() + 10
    while client.get("/v1/secrets").status_code == 200:
        assert time.monotonic() < deadline
    assert error_of(client.get("/v1/secrets")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("table", "key", "edit"),
    [
        ("api_keys", "account_id", {"scopes": "secrets:read secrets:write"}),
        ("api_keys", "account_id", {"expires_at_ms": 99999999999999}),
        ("api_keys", "account_id", {"mac": bytes(33)}),
        ("accounts", "id", {"mac": bytes(33)}),
    ],
)
def test_a_key_whose_row_was_edited_is_refused(
    account: Account, table: str, key: str, edit: dict[str, object]
) -> None:
    client = account.client(frozenset({Scope.SECRETS_READ}))
    assert client.get("/v1/secrets").status_code == 200
    with account.deployment.rows() as rows:
        rows.edit(table, {key: account.id}, **edit)
    assert error_of(client.get("/v1/secrets")) == (401, "unauthenticated")


def test_the_size_cap_comes_before_the_credential(deployment: ApiDeployment) -> None:
    refused = deployment.anyone().post("/v1/secrets", data=b"x" * (1024 * 1024 + 1))
    assert error_of(refused) == (413, "body_too_large")


@pytest.mark.parametrize("host", ["", "evil.example", "a b", "[::1", "\u00e9", "localhost:99999"])
def test_no_answer_depends_on_the_host_that_a_client_names(client: Client, host: str) -> None:
    answered = client.get("/v1/secrets", environ_overrides={"HTTP_HOST": host})
    assert answered.status_code == 200
    assert "Location" not in answered.headers


def test_a_host_that_no_host_can_have_is_told_in_json(client: Client) -> None:
    refused = client.get("/v1/secrets", environ_overrides={"HTTP_HOST": "x" * 300})
    assert error_of(refused) == (400, "bad_request")
