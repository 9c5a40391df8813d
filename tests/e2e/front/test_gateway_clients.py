"""Gateway configs and tokens through both official clients, unchanged; also through nginx."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from runloop_api_client import BadRequestError, NotFoundError, PermissionDeniedError, Runloop

from app.services.container import Services
from tests.e2e.account import Account
from tests.e2e.front.conftest import GATEWAY_URL, Way
from tests.support.javascript import JavaScript
from tests.support.strongroom import Strongroom

SYSTEM = {"anthropic", "openai", "gemini", "github", "github-git", "stripe", "slack"}


@pytest.fixture
def client(account: Account, way: Way, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runloop]:
    for name, value in {**way.environment, "RUNLOOP_API_KEY": account.token}.items():
        monkeypatch.setenv(name, value)
    with Runloop() as client:
        yield client


def test_the_official_smoke_test_of_gateway_configs_passes(client: Runloop) -> None:
    configs = client.gateway_configs
    made = configs.create(
        name="a-config",
        endpoint="https://api.example.com",
        auth_mechanism={"type": "bearer"},
        description="for a test",
    )
    assert made.id.startswith("gwc_")
    assert configs.retrieve(made.id) == made
    updated = configs.update(
        made.id, name="renamed", description="changed", endpoint="https://api.example.org"
    )
    assert (updated.name, updated.description) == ("renamed", "changed")
    assert updated.endpoint == "https://api.example.org"
    updated = configs.update(made.id, auth_mechanism={"type": "header", "key": "x-api-key"})
    assert (updated.auth_mechanism.type, updated.auth_mechanism.key) == ("header", "x-api-key")
    assert configs.retrieve(made.id) == updated
    assert configs.delete(made.id) == updated
    with pytest.raises(NotFoundError):
        configs.retrieve(made.id)


def test_configs_are_found_in_a_list_with_those_of_the_system(client: Runloop) -> None:
    for name in ("first", "second"):
        client.gateway_configs.create(
            name=name, endpoint="https://api.example.com", auth_mechanism={"type": "bearer"}
        )
    listed = client.gateway_configs.list(limit=100)
    assert {config.name for config in listed.gateway_configs} == {"first", "second", *SYSTEM}
    assert {config.name for config in client.gateway_configs.list(limit=2)} == {
        *("first", "second"),
        *SYSTEM,
    }


def test_what_the_vendors_command_does_finds_a_config_by_its_name(client: Runloop) -> None:
    client.gateway_configs.create(
        name="mine", endpoint="https://api.example.com", auth_mechanism={"type": "bearer"}
    )
    with pytest.raises(NotFoundError):
        client.gateway_configs.retrieve("mine")
    listed = client.gateway_configs.list(name="mine", limit=100)
    assert [config.name for config in listed.gateway_configs] == ["mine"]


def test_a_token_is_made_for_names_and_for_ids(client: Runloop) -> None:
    secret = client.secrets.create(name="KEY", value="a credential")
    made = client.gateway_configs.create(
        name="mine",
        endpoint="https://api.example.com",
        auth_mechanism={"type": "header", "key": "x-api-key"},
        custom_headers=[{"name": "x-more", "secret": "KEY"}],
    )
    for gateway, ref in (("mine", "KEY"), (made.id, secret.id)):
        minted = client.devboxes.create_gateway_token("my-box", gateway=gateway, secret=ref)
        assert minted.token.startswith("gws_")
        assert minted.url == f"{GATEWAY_URL}/{made.id}"
        assert minted.endpoint == "https://api.example.com"
        assert minted.auth_mechanism == made.auth_mechanism
        assert (minted.devbox_id, minted.gateway_config_id) == ("my-box", made.id)


def test_our_extensions_pass_through_the_client(client: Runloop) -> None:
    client.secrets.create(name="KEY", value="a credential")
    minted = client.devboxes.create_gateway_token(
        "my-box",
        gateway="anthropic",
        secret="KEY",
        extra_body={"ttl_seconds": 60, "limits": {"requests": 1}},
    )
    extra = minted.model_extra or {}
    assert extra["id"].startswith("gwt_")
    assert extra["expires_at_ms"] > 0


def test_errors_are_those_that_the_client_knows(client: Runloop) -> None:
    shown = client.gateway_configs.list(name="anthropic").gateway_configs[0]
    with pytest.raises(PermissionDeniedError):
        client.gateway_configs.update(shown.id, name="mine")
    with pytest.raises(BadRequestError, match="unique"):
        client.gateway_configs.create(
            name="anthropic", endpoint="https://evil.example", auth_mechanism={"type": "bearer"}
        )


@pytest.fixture(scope="module")
def scripted(
    javascript: JavaScript, backend: Strongroom, backend_operator: Services, way: Way
) -> dict[str, Any]:
    """The responses that ``gateways.mjs`` got."""
    with Account.new(backend.url, backend_operator) as account:
        environ = {**way.environment, "RUNLOOP_API_KEY": account.token}
        told: dict[str, Any] = json.loads(javascript.run("gateways.mjs", environ=environ).stdout)
    return told


@pytest.mark.slow
def test_a_config_lives_in_the_javascript_client(scripted: dict[str, Any]) -> None:
    created, updated = scripted["created"], scripted["updated"]
    assert scripted["retrieved"] == scripted["untouched"] == created
    assert (updated["name"], updated["endpoint"]) == ("renamed", "https://api.example.org")
    assert updated["auth_mechanism"] == {"type": "header", "key": "x-api-key"}
    assert updated["custom_headers"] == [{"name": "x-org", "value": "us"}]
    assert scripted["deleted"] == updated
    assert scripted["deletedWithBody"] == scripted["second"]


@pytest.mark.slow
def test_configs_are_listed_in_the_javascript_client(scripted: dict[str, Any]) -> None:
    assert scripted["listed"][:2] == ["second", "renamed"]
    assert set(scripted["listed"][2:]) == SYSTEM
    assert scripted["searched"] == [scripted["updated"]]


@pytest.mark.slow
def test_tokens_are_made_in_the_javascript_client(scripted: dict[str, Any]) -> None:
    for name in ("token", "tokenById", "systemToken"):
        minted = scripted[name]
        assert minted["token"].startswith("gws_")
        assert minted["url"] == f"{GATEWAY_URL}/{minted['gateway_config_id']}"
    assert scripted["token"]["gateway_config_id"] == scripted["created"]["id"]
    assert scripted["tokenById"]["gateway_config_id"] == scripted["created"]["id"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "error", "status"),
    [
        ("duplicate", "BadRequestError", 400),
        ("byName", "NotFoundError", 404),
        ("noSuchGateway", "NotFoundError", 404),
        ("deletedTwice", "NotFoundError", 404),
    ],
)
def test_errors_have_their_class_in_the_javascript_client(
    scripted: dict[str, Any], call: str, error: str, status: int
) -> None:
    assert (scripted[call]["error"], scripted[call]["status"]) == (error, status)
