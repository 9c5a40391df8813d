"""From an agent through nginx, gateway and API to an upstream that records every byte."""

import json
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.services.container import Services
from tests.e2e.gateway.conftest import CANARY, SECRET, Gateway
from tests.support import databases
from tests.support.certificates import Certificate
from tests.support.deployment import Tenant, child_of, revoke
from tests.support.gateway.recorder import Connection, Received, Recorder
from tests.support.gateway.stored import Minted, store_config, store_token
from tests.support.nginx import GATEWAY_NAME, Nginx
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

OTHER = "canary-of-the-new-value"


def path_of(minted: Minted, path: str = "/v1/messages") -> str:
    return f"/{minted.row.config_id}{path}"


def bearer(minted: Minted) -> dict[str, str]:
    return {"Authorization": f"Bearer {minted.token.reveal()}"}


def call(client: httpx.Client, minted: Minted, path: str = "/v1/messages") -> httpx.Response:
    return client.post(path_of(minted, path), headers=bearer(minted), content=b"{}")


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal of ours, after its shape was checked."""
    body = response.json()
    assert response.headers["x-strongroom-gateway"] == "refused"
    assert body["error"]["message"] == body["message"]
    assert CANARY not in response.text
    return response.status_code, body["code"]


def test_the_upstream_gets_the_credential_once_and_nothing_of_ours(
    client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    response = client.post(
        path_of(agent, "/v1/messages?page=1"),
        headers={**bearer(agent), "x-api-key": "mine", "Cookie": "a=b"},
        content=b'{"question": 1}',
    )
    assert (response.http_version, response.status_code, response.text) == ("HTTP/2", 200, "hello")
    (received,) = upstream.requests
    assert received.target == "/v1/messages?page=1"
    assert received.all("Authorization") == [f"Bearer {CANARY}"]
    assert received.all("Host") == [f"localhost:{upstream.port}"]
    assert received.body == b'{"question": 1}'
    for ours in (b"gws_", b"mine", b"a=b", agent.token.reveal().encode()):
        assert ours not in bytes(upstream.raw)


def test_each_request_has_a_use_that_is_completed(
    client: httpx.Client, api: Strongroom, agent: Minted, upstream: Recorder
) -> None:
    assert call(client, agent).status_code == 200

    def is_complete() -> bool:
        with api.rows() as rows:
            (use,) = rows.all("gateway_uses", token_id=agent.row.id)
        return use["status"] is not None

    wait_until(is_complete)
    with api.rows() as rows:
        (use,) = rows.all("gateway_uses", token_id=agent.row.id)
    assert (use["status"], use["method"], use["path"]) == (200, "POST", "/v1/messages")
    assert (use["bytes_in"], use["bytes_out"], use["address"]) == (2, 5, "127.0.0.1")
    assert len(upstream.requests) == 1


def test_without_a_token_a_client_is_challenged(
    client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    response = client.get(path_of(agent))
    assert refusal(response) == (401, "gateway_token_missing")
    challenges = response.headers.get_list("WWW-Authenticate")
    assert [each.split()[0] for each in challenges] == ["Basic", "Bearer"]
    assert upstream.requests == []


CHANGES: dict[str, tuple[Callable[[Tenant, Minted, Strongroom], object], int, str]] = {
    "its key revoked": (lambda tenant, *_: revoke(tenant), 401, "gateway_token_refused"),
    "its secret deleted": (lambda tenant, *_: tenant.delete(SECRET), 403, "secret_gone"),
    "its config deleted": (
        lambda _, agent, api: _remove(api, "gateway_configs", agent.row.config_id),
        403,
        "gateway_config_gone",
    ),
    "its row deleted": (
        lambda _, agent, api: _remove(api, "gateway_tokens", agent.row.id),
        401,
        "gateway_token_refused",
    ),
}


def _remove(api: Strongroom, table: str, row_id: str) -> None:
    with api.rows() as rows:
        rows.remove(table, id=row_id)


@pytest.mark.parametrize(("change", "status", "code"), CHANGES.values(), ids=CHANGES)
def test_after_a_change_the_next_request_never_reaches_the_upstream(
    client: httpx.Client,
    api: Strongroom,
    tenant: Tenant,
    agent: Minted,
    upstream: Recorder,
    change: Callable[[Tenant, Minted, Strongroom], object],
    status: int,
    code: str,
) -> None:
    assert call(client, agent).status_code == 200
    change(tenant, agent, api)
    assert refusal(call(client, agent)) == (status, code)
    assert len(upstream.requests) == 1


def test_a_key_above_the_minting_one_ends_the_token(
    client: httpx.Client, tenant: Tenant, upstream: Recorder
) -> None:
    config = store_config(tenant, f"https://localhost:{upstream.port}")
    minted = store_token(child_of(tenant), config, SECRET)
    assert call(client, minted).status_code == 200
    revoke(tenant)
    assert refusal(call(client, minted)) == (401, "gateway_token_refused")
    assert len(upstream.requests) == 1


def test_a_new_value_is_used_at_once(
    client: httpx.Client, tenant: Tenant, agent: Minted, upstream: Recorder
) -> None:
    call(client, agent)
    tenant.update(SECRET, OTHER)
    call(client, agent)
    sent = [each.all("Authorization") for each in upstream.requests]
    assert sent == [[f"Bearer {CANARY}"], [f"Bearer {OTHER}"]]


def test_a_value_with_a_line_end_is_not_sent(
    client: httpx.Client, tenant: Tenant, agent: Minted, upstream: Recorder
) -> None:
    tenant.update(SECRET, f"{CANARY}\r\nx-evil: 1")
    assert refusal(call(client, agent)) == (502, "credential_not_sendable")
    assert bytes(upstream.raw) == b""


def test_a_basic_credential_is_encoded_for_the_upstream(
    client: httpx.Client, tenant: Tenant, upstream: Recorder
) -> None:
    tenant.create("LOGIN", "user:pass")
    auth = AuthMechanism(AuthType.BASIC)
    config = store_config(tenant, f"https://localhost:{upstream.port}", auth)
    call(client, store_token(tenant, config, "LOGIN"))
    assert upstream.requests[0].all("Authorization") == ["Basic dXNlcjpwYXNz"]


def test_an_event_arrives_before_the_stream_ends(
    client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    """The upstream holds the end back until its first event has reached the client."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    events: list[str] = []

    async def stream(connection: Connection, _: Received) -> None:
        await connection.send(head + b"data: first\n\n")
        await connection.until_closed()

    upstream.answer = stream
    with client.stream("GET", path_of(agent, "/v1/events"), headers=bearer(agent)) as response:
        for line in response.iter_lines():
            events.append(line)
            break
    assert events == ["data: first"]


def test_a_body_arrives_before_the_client_has_sent_all_of_it(
    client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    """The client goes on once the upstream has seen the first piece."""
    upstream.reads_bodies = False
    seen: list[bytes] = []

    async def echo(connection: Connection, _: Received) -> None:
        seen.append(await connection.reader.readuntil(b"first"))
        await connection.reader.readuntil(b"last")
        await connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        )

    upstream.answer = echo

    def pieces() -> Iterator[bytes]:
        yield b"first" + b"." * 16_384
        wait_until(lambda: bool(seen))
        yield b"last"

    response = client.post(path_of(agent), headers=bearer(agent), content=pieces())
    assert response.text == "ok"


@pytest.mark.parametrize("name", [GATEWAY_NAME, "api.example.com"])
def test_nginx_knows_no_admissions_under_any_name(
    front: Nginx, certificate: Certificate, gateway_key: str, agent: Minted, name: str
) -> None:
    trust = ssl.create_default_context(cafile=str(certificate.ca_file))
    body = {"token": agent.token.reveal()}
    with httpx.Client(verify=trust, trust_env=False, timeout=30) as client:
        answer = client.post(
            f"{front.url}/internal/v1/admissions",
            json=body,
            headers={"Host": name, "Authorization": f"Bearer {gateway_key}"},
        )
    assert answer.status_code in {400, 401, 404}
    assert CANARY not in answer.text
    assert answer.json()["code"] in {"not_found", "config_missing", "gateway_token_missing"}


def test_while_the_database_takes_no_write_nothing_is_carried(
    client: httpx.Client, api: Strongroom, agent: Minted, upstream: Recorder
) -> None:
    """The use cannot be written, so the credential is not released."""
    with databases.chosen.no_writer(api.home):
        status, code = refusal(call(client, agent))
    assert (status, code) == (503, "storage_unavailable")
    assert upstream.requests == []
    assert call(client, agent).status_code == 200


def test_the_apis_own_port_is_refused_although_its_network_is_open(
    client: httpx.Client, api: Strongroom, tenant: Tenant
) -> None:
    """The gateway's settings do not name that port."""
    config = store_config(tenant, f"http://localhost:{urlsplit(api.url).port}")
    response = call(client, store_token(tenant, config, SECRET), "/healthz")
    assert refusal(response) == (502, "address_refused")


def test_stopping_the_gateways_stops_the_next_request(
    client: httpx.Client, services: Services, agent: Minted, upstream: Recorder
) -> None:
    services.gateway_switch.stop()
    try:
        response = call(client, agent)
    finally:
        services.gateway_switch.start()
    assert refusal(response) == (503, "gateway_stopped")
    assert response.headers["x-should-retry"] == "true"
    assert upstream.requests == []


ODD = [
    ("GET", "", {}),
    ("GET", "/", {}),
    ("HEAD", "/v1/models", {}),
    ("OPTIONS", "*", {}),
    ("GET", "//evil.example/", {}),
    ("GET", "/../../x", {}),
    ("GET", "/v1/%2e%2e/x", {}),
    ("POST", "/v1/x", {"X-HTTP-Method-Override": "DELETE"}),
    ("GET", "/v1/x", {"Authorization": ""}),
    ("GET", "/v1/x", {"Authorization": "Bearer sk-mine"}),
    ("GET", "/v1/x", {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}),
    ("GET", "/v1/x?key=mine", {}),
    ("DELETE", "/v1/x", {"Connection": "authorization"}),
    ("PATCH", "/v1/x", {"x-api-key": "mine", "api-key": "mine"}),
]


def test_whatever_comes_each_request_that_leaves_carries_the_credential(
    gateway: Gateway, client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=30) as direct:
        for method, path, headers in ODD:
            for way in (client, direct):
                for given in ({**bearer(agent), **headers}, headers):
                    try:
                        way.request(method, path_of(agent, path), headers=given)
                    except httpx.HTTPError:
                        continue
    assert upstream.requests
    for received in upstream.requests:
        assert received.all("Authorization") == [f"Bearer {CANARY}"]
        assert received.all("Host") == [f"localhost:{upstream.port}"]
    assert b"mine" not in bytes(upstream.raw).replace(b"key=mine", b"")
    assert b"gws_" not in bytes(upstream.raw)


def test_no_log_holds_a_value_a_token_or_a_key(
    client: httpx.Client, api: Strongroom, gateway: Gateway, gateway_key: str, agent: Minted
) -> None:
    assert call(client, agent).status_code == 200
    client.get(path_of(agent, "/../x"), headers=bearer(agent))
    for log in (api.log.read_text(), gateway.log.read_text()):
        for secret in (CANARY, gateway_key, agent.token.reveal()):
            assert secret not in log


def test_a_refusal_of_the_upstream_passes_as_it_is(
    client: httpx.Client, agent: Minted, upstream: Recorder
) -> None:
    body = json.dumps({"error": {"message": "upstream says no"}}).encode()
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: "

    async def refuse(connection: Connection, _: Received) -> None:
        await connection.send(head + str(len(body)).encode() + b"\r\n\r\n" + body)

    upstream.answer = refuse
    response = call(client, agent)
    assert (response.status_code, response.content) == (401, body)
    assert "x-strongroom-gateway" not in response.headers
