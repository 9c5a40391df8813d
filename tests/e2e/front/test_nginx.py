"""The server behind nginx, in the configuration that ships, but for addresses and paths."""

import socket
import ssl
from contextlib import ExitStack

import httpx
import pytest

from tests.support.nginx import Nginx

pytestmark = pytest.mark.slow

_SLOW_CLIENTS = 400


def test_the_api_is_served_over_http_2_and_tls(client: httpx.Client) -> None:
    made = client.post("/v1/secrets", json={"name": "BEHIND_NGINX", "value": "a value"})

    assert (made.status_code, made.http_version) == (200, "HTTP/2")
    assert client.get("/v1/secrets/BEHIND_NGINX").json() == made.json()


def test_a_body_over_the_cap_is_refused_in_the_servers_own_form(client: httpx.Client) -> None:
    declared = {"Content-Length": str(1024 * 1024 + 1)}

    refused = client.post("/v1/secrets", content=iter([b"x"]), headers=declared)

    assert refused.status_code == 413
    assert refused.json()["code"] == "body_too_large"
    assert refused.headers["content-type"] == "application/json"


def test_an_encoded_slash_arrives_encoded(client: httpx.Client) -> None:
    client.post("/v1/secrets", json={"name": "KEPT", "value": "a value"})

    refused = client.post("/v1/secrets/KEPT%2Fdelete")

    assert refused.status_code != 200
    assert client.get("/v1/secrets/KEPT").status_code == 200


def test_a_redemption_records_the_clients_address_and_no_forged_one(client: httpx.Client) -> None:
    client.post("/v1/secrets", json={"name": "INJECTED", "value": "a value"})
    made = client.post("/v1/injections", json={"secrets": {"A": "INJECTED"}}).json()
    headers = {"Authorization": f"Bearer {made['token']}", "X-Forwarded-For": "203.0.113.9"}

    assert client.post("/v1/injections/redeem", headers=headers).status_code == 200

    assert client.get(f"/v1/injections/{made['id']}").json()["redeemed_from"] == "127.0.0.1"


def test_slow_clients_delay_no_other_client(
    client: httpx.Client, front: Nginx, trust: ssl.SSLContext
) -> None:
    with ExitStack() as stack:
        for _ in range(_SLOW_CLIENTS):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", front.port)))
            slow = stack.enter_context(trust.wrap_socket(plain, server_hostname="127.0.0.1"))
            slow.sendall(b"POST /v1/secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")

        answers = [client.get("/healthz").status_code for _ in range(50)]

    assert answers == [200] * 50
