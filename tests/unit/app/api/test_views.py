"""Responses are exactly what the schemas say, although no schema makes them."""

import pytest
from marshmallow import Schema

from app.api.gateways.config_schemas import GatewayConfigListView, GatewayConfigView
from app.api.gateways.token_schemas import (
    GatewayTokenCreatedView,
    GatewayTokenListView,
    GatewayTokensRevokedView,
    GatewayUseListView,
)
from app.api.schemas.api_keys import ApiKeyCreatedView, RestrictedKeyCreatedView
from app.api.schemas.audit import AuditEventListView
from app.api.schemas.errors import ErrorView
from app.api.schemas.health import HealthView, ReadinessView
from app.api.schemas.injections import (
    InjectionCreatedView,
    InjectionListView,
    InjectionView,
    RedeemedView,
)
from app.api.schemas.secrets import SecretListView, SecretView
from tests.support.api_deployment import Client, body_of

_INJECTION = {"secrets": {"ENV": "A"}}
_CONFIG = {
    "name": "an upstream",
    "endpoint": "https://api.example.com/base",
    "auth_mechanism": {"type": "header", "key": "x-api-key"},
    "custom_headers": [{"name": "x-org", "value": "us"}, {"name": "x-more", "secret": "B"}],
    "allow": [{"methods": ["GET"], "path": "/v1/*"}],
    "deny": [{"path": "/v1/keys"}],
    "secrets": ["A", "PREFIX*"],
    "deny_query": ["key"],
    "scrub": False,
}
_TOKEN = {"gateway": "anthropic", "secret": "A"}
_SCOPES = [{"resource_type": "RESOURCE_TYPE_SECRETS", "access_level": "ACCESS_LEVEL_READ"}]


@pytest.fixture
def client(client: Client) -> Client:
    """A client of an account with two secrets and an injection."""
    client.create("A")
    client.create("B")
    assert client.post("/v1/injections", json=_INJECTION).status_code == 200
    return client


@pytest.mark.parametrize(
    ("method", "path", "sent", "schema"),
    [
        ("POST", "/v1/secrets", {"name": "C", "value": "x"}, SecretView),
        ("POST", "/v1/secrets", {}, ErrorView),
        ("GET", "/v1/secrets", None, SecretListView),
        ("GET", "/v1/secrets?limit=1", None, SecretListView),
        ("GET", "/v1/secrets?include_total_count=false", None, SecretListView),
        ("GET", "/v1/secrets/A", None, SecretView),
        ("GET", "/v1/secrets/MISSING", None, ErrorView),
        ("POST", "/v1/secrets/A", {"value": "y"}, SecretView),
        ("POST", "/v1/secrets/A/delete", {}, SecretView),
        ("POST", "/v1/apikeys", {}, ApiKeyCreatedView),
        ("POST", "/v1/apikeys", {"name": "x", "expires_at_ms": 2**53 - 1}, ApiKeyCreatedView),
        ("POST", "/v1/restricted_keys", {"scopes": _SCOPES}, RestrictedKeyCreatedView),
        ("POST", "/v1/injections", _INJECTION, InjectionCreatedView),
        ("GET", "/v1/injections", None, InjectionListView),
        ("POST", "/v1/gateway-configs", _CONFIG, GatewayConfigView),
        ("GET", "/v1/gateway-configs", None, GatewayConfigListView),
        ("GET", "/v1/gateway-configs?include_total_count=false", None, GatewayConfigListView),
        ("POST", "/v1/devboxes/a-box/create_gateway_token", _TOKEN, GatewayTokenCreatedView),
        ("GET", "/v1/gateway-tokens", None, GatewayTokenListView),
        ("POST", "/v1/gateway-tokens/revoke", {"devbox_id": "a-box"}, GatewayTokensRevokedView),
        ("GET", "/v1/gateway-uses", None, GatewayUseListView),
        ("GET", "/v1/audit-events", None, AuditEventListView),
        ("GET", "/healthz", None, HealthView),
        ("GET", "/readyz", None, ReadinessView),
    ],
)
def test_an_answer_holds_what_its_schema_says_and_no_more(
    client: Client, method: str, path: str, sent: object, schema: type[Schema]
) -> None:
    assert schema().validate(body_of(client.send(method, path, json=sent))) == {}


def test_a_redeemed_injection_is_answered_as_its_schema_says(client: Client) -> None:
    made = body_of(client.post("/v1/injections", json=_INJECTION))
    token = {"Authorization": f"Bearer {made['token']}"}
    redeemed = body_of(client.post("/v1/injections/redeem", headers=token))
    assert RedeemedView().validate(redeemed) == {}
    assert InjectionView().validate(body_of(client.get(f"/v1/injections/{made['id']}"))) == {}


def test_the_schemas_would_see_a_field_too_many(client: Client) -> None:
    shown = body_of(client.get("/v1/secrets/A"))
    assert SecretView().validate({**shown, "value": "x"}) == {
        "value": ["must not hold unknown fields"]
    }
