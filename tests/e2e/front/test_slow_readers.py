"""Clients of nginx that do not take their answers hold none of the server's threads."""

import ssl
from collections.abc import Iterator

import httpx
import pytest

from app.server.bounded_socket import WRITE_SECONDS
from tests.e2e.front.conftest import THREADS
from tests.e2e.front.http_2 import http_2
from tests.support.nginx import Nginx

pytestmark = pytest.mark.slow

STREAMS = 4 * THREADS
VALUE = "\x01" * 65000  # six bytes each in JSON
VALUES = 16  # just under 1 MiB, names included


def assert_serves_meanwhile(client: httpx.Client) -> None:
    """Before the server gives up one of the slow answers, if it holds them."""
    for _ in range(10):
        assert client.get("/v1/secrets", timeout=WRITE_SECONDS / 2).status_code == 200


@pytest.fixture
def tokens(client: httpx.Client) -> Iterator[list[str]]:
    """Tokens of injections whose redemption is as long as one can be."""
    names = [f"LARGEST_{number}" for number in range(VALUES)]
    for name in names:
        made = client.post("/v1/secrets", json={"name": name, "value": VALUE})
        assert made.status_code == 200
    body = {"secrets": {name: name for name in names}}
    yield [client.post("/v1/injections", json=body).json()["token"] for _ in range(STREAMS)]
    for name in names:
        client.post(f"/v1/secrets/{name}/delete")


def test_unread_redemptions_hold_no_thread(
    client: httpx.Client, front: Nginx, trust: ssl.SSLContext, tokens: list[str]
) -> None:
    with http_2(front, trust, window=0) as slow:
        for token in tokens:
            slow.ask("POST", "/v1/injections/redeem", [("authorization", f"Bearer {token}")])
        assert_serves_meanwhile(client)


def test_the_largest_redemption_arrives_complete(client: httpx.Client, tokens: list[str]) -> None:
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    redeemed = client.post("/v1/injections/redeem", headers=headers)
    assert len(redeemed.content) > 6_000_000
    assert set(redeemed.json()["environment"].values()) == {VALUE}


def test_unread_pages_hold_no_thread(
    client: httpx.Client, front: Nginx, trust: ssl.SSLContext
) -> None:
    with http_2(front, trust, window=0) as slow:
        for _ in range(STREAMS):
            slow.ask("GET", "/docs/swagger-ui-bundle.js", [])
        assert_serves_meanwhile(client)
