"""A name outside of a key's limit is answered exactly like one that does not exist."""

import re

import pytest
from werkzeug.test import TestResponse

from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import Scope
from tests.support.api_deployment import Account, Client, body_of, error_of

REQUEST_ID = re.compile("req_[0-9A-Za-z]{22}")


@pytest.fixture
def limited(account: Account) -> Client:
    issued = account.deployment.services.api_keys.issue(
        account.id,
        name="ci",
        scopes=frozenset({Scope.SECRETS_INJECT}),
        names=NameLimit.of(["CI_*"]),
    )
    return Client(account.deployment.app, issued.token.reveal())


def inject(client: Client, ref: str) -> TestResponse:
    return client.post("/v1/injections", json={"secrets": {"VAR": ref}})


def everything(response: TestResponse) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, body and headers, without the request's own id."""
    headers = [(name, REQUEST_ID.sub("req", value)) for name, value in response.headers]
    return response.status_code, REQUEST_ID.sub("req", response.text), headers


@pytest.mark.parametrize("field", ["name", "id"])
def test_a_secret_outside_is_answered_like_one_that_does_not_exist(
    client: Client, limited: Client, field: str
) -> None:
    ref = client.create("OTHER")[field]
    outside = inject(limited, ref)
    client.post("/v1/secrets/OTHER/delete")
    assert everything(outside) == everything(inject(limited, ref))
    assert error_of(outside) == (404, "secrets_missing")


def test_a_secret_inside_is_handed_over(client: Client, limited: Client) -> None:
    client.create("CI_TOKEN", "its value")
    token = body_of(inject(limited, "CI_TOKEN"))["token"]
    redeemed = limited.with_token(token).post("/v1/injections/redeem")
    assert body_of(redeemed) == {"environment": {"VAR": "its value"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/secrets"),
        ("GET", "/v1/secrets/CI_TOKEN"),
        ("POST", "/v1/secrets"),
        ("POST", "/v1/secrets/CI_TOKEN"),
        ("POST", "/v1/secrets/CI_TOKEN/delete"),
        ("POST", "/v1/apikeys"),
        ("POST", "/v1/restricted_keys"),
    ],
)
def test_a_limited_key_does_nothing_else(
    client: Client, limited: Client, method: str, path: str
) -> None:
    client.create("CI_TOKEN")
    assert error_of(limited.send(method, path)) == (403, "scope_missing")
