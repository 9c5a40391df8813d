"""The configs that ship: usable, reserved by name, and without the paths that mint credentials."""

import json
from importlib.resources import files

import pytest

from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.credentials import AuthType
from app.domain.gateways.rules import Rule, permits, refuses
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.ids import GATEWAY_CONFIG, is_id, new_id

SYSTEM = SystemConfigs(json.loads((files("config") / "gateways.json").read_text()))


def config(name: str) -> GatewayConfig:
    found = SYSTEM.named(name)
    assert found is not None
    return found


def passes(name: str, method: str, path: str) -> bool:
    wanted = config(name)
    is_allowed = wanted.allowed is None or permits(wanted.allowed, method, path)
    return is_allowed and not refuses(wanted.denied, method, path)


def test_each_is_found_by_its_id_and_by_its_name() -> None:
    assert {each.name for each in SYSTEM.all} == {
        *("anthropic", "openai", "gemini", "github", "github-git", "stripe", "slack")
    }
    for each in SYSTEM.all:
        assert SYSTEM.get(each.id) is each
        assert SYSTEM.named(each.name) is each
        assert SYSTEM.reserves(each.name.upper())
        assert each.is_system
        assert each.origin.scheme == "https"


def test_ids_are_shaped_like_others_and_older_than_all() -> None:
    ids = [each.id for each in SYSTEM.all]
    assert all(is_id(each, GATEWAY_CONFIG) for each in ids)
    assert ids == sorted(ids, reverse=True)
    assert max(ids) < new_id(GATEWAY_CONFIG)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("anthropic", "x-api-key"),
        ("gemini", "x-goog-api-key"),
        ("openai", "Authorization"),
        ("github", "Authorization"),
        ("github-git", "Authorization"),
        ("stripe", "Authorization"),
        ("slack", "Authorization"),
    ],
)
def test_each_sets_the_header_of_its_upstream(name: str, header: str) -> None:
    assert config(name).auth.header == header
    assert (config(name).auth.type is AuthType.BASIC) == (name == "github-git")


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("anthropic", "POST", "/v1/messages"),
        ("openai", "POST", "/v1/chat/completions"),
        ("openai", "GET", "/v1/realtime"),
        ("openai", "GET", "/v1/models"),
        ("gemini", "POST", "/v1beta/models/gemini-pro:generateContent"),
        ("github", "GET", "/repos/o/r/keys"),
        ("github", "POST", "/graphql"),
        ("github-git", "GET", "/o/r.git/info/refs"),
        ("github-git", "POST", "/o/r.git/git-receive-pack"),
        ("github-git", "POST", "/o/r.git/info/lfs/objects/batch"),
        ("stripe", "GET", "/v1/customers"),
        ("slack", "POST", "/chat.postMessage"),
    ],
)
def test_what_clients_do_passes(name: str, method: str, path: str) -> None:
    assert passes(name, method, path)


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("anthropic", "GET", "/v1/organizations/api_keys"),
        ("openai", "POST", "/v1/realtime/client_secrets"),
        ("openai", "POST", "/v1/realtime/client_secrets/"),
        ("openai", "POST", "/v1/Realtime/Sessions"),
        ("openai", "POST", "/v1/organization/admin_api_keys"),
        ("gemini", "POST", "/v1alpha/auth_tokens"),
        ("github", "POST", "/app/installations/1/access_tokens"),
        ("github", "post", "/repos/o/r/keys"),
        ("github", "POST", "/repos/o/r/actions/runners/registration-token"),
        ("github", "POST", "/orgs/o/actions/runners/registration-token"),
        ("github-git", "GET", "/settings/tokens"),
        ("github-git", "GET", "/o/r"),
        ("stripe", "POST", "/v1/ephemeral_keys"),
        ("stripe", "POST", "/v1/terminal/connection_tokens"),
        ("slack", "POST", "/oauth.v2.access"),
        ("slack", "POST", "/apps.connections.open"),
        ("slack", "POST", "/tooling.tokens.rotate"),
    ],
)
def test_what_mints_credentials_does_not_pass(name: str, method: str, path: str) -> None:
    assert not passes(name, method, path)


@pytest.mark.parametrize("name", ["stripe", "gemini", "slack", "github"])
def test_a_credential_in_the_query_is_named_where_an_upstream_takes_it(name: str) -> None:
    assert config(name).deny_query != ()


def test_a_rule_that_refuses_ignores_case_and_a_slash_at_the_end() -> None:
    rules = [Rule(("POST",), "/v1/Keys")]
    for path in ("/v1/Keys", "/v1/keys", "/V1/KEYS/", "/v1/keys//"):
        assert refuses(rules, "POST", path)
    assert not refuses(rules, "GET", "/v1/keys")
    assert not refuses(rules, "POST", "/v1/keys/1")
    assert not permits(rules, "POST", "/v1/keys")
