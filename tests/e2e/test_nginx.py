"""The server behind nginx, in the configuration that ships, but for addresses and paths."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.programs import require
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.ports import free_port
from tests.servers.strongroom import Strongroom, running

_CONFIGURATION = Path(__file__).parents[2] / "config" / "nginx.conf"
_SLOW_CLIENTS = 400
_START_SECONDS = 10.0


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    settings = {"STRONGROOM_TRUSTED_PROXIES": "1"}
    with running(tmp_path_factory.mktemp("behind-nginx"), settings) as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory, backend: Strongroom, certificate: Certificate
) -> Iterator[str]:
    """The URL of nginx in front of the server."""
    directory = tmp_path_factory.mktemp("nginx")
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(_configuration(directory, port, backend, certificate))
    process = subprocess.Popen(
        [require("nginx"), "-c", str(configuration), "-e", "stderr", "-g", "daemon off;"]
    )
    _wait_for(port)
    yield f"https://127.0.0.1:{port}"
    process.terminate()
    process.wait(_START_SECONDS)


@pytest.fixture
def client(front: str, backend: Strongroom, certificate: Certificate) -> Iterator[httpx.Client]:
    """A client that speaks HTTP/2 to nginx."""
    trust = ssl.create_default_context(cafile=str(certificate.ca_file))
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    with httpx.Client(
        base_url=front, verify=trust, http2=True, headers=headers, trust_env=False, timeout=30
    ) as client:
        yield client


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


def test_a_redemption_tells_the_clients_address_and_no_forged_one(
    client: httpx.Client, front: str
) -> None:
    client.post("/v1/secrets", json={"name": "INJECTED", "value": "a value"})
    made = client.post("/v1/injections", json={"secrets": {"A": "INJECTED"}}).json()
    headers = {"Authorization": f"Bearer {made['token']}", "X-Forwarded-For": "203.0.113.9"}

    assert client.post("/v1/injections/redeem", headers=headers).status_code == 200

    assert client.get(f"/v1/injections/{made['id']}").json()["redeemed_from"] == "127.0.0.1"


def test_slow_clients_do_not_keep_others_waiting(
    client: httpx.Client, front: str, certificate: Certificate
) -> None:
    trust = ssl.create_default_context(cafile=str(certificate.ca_file))
    port = int(front.rpartition(":")[2])
    with ExitStack() as stack:
        for _ in range(_SLOW_CLIENTS):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow = stack.enter_context(trust.wrap_socket(plain, server_hostname="127.0.0.1"))
            slow.sendall(b"POST /v1/secrets HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")

        answers = [client.get("/healthz").status_code for _ in range(50)]

    assert answers == [200] * 50


def _configuration(
    directory: Path, port: int, backend: Strongroom, certificate: Certificate
) -> str:
    shipped = _CONFIGURATION.read_text()
    for ours, theirs in {
        "/run/strongroom/nginx.pid": str(directory / "nginx.pid"),
        "/var/log/strongroom/nginx.log": str(directory / "nginx.log"),
        "127.0.0.1:8080": backend.url.removeprefix("http://"),
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/strongroom/tls.crt": str(certificate.file),
        "/etc/strongroom/tls.key": str(certificate.key_file),
    }.items():
        assert shipped.count(ours) == 1, ours
        shipped = shipped.replace(ours, theirs)
    return shipped


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("nginx did not start in time")
