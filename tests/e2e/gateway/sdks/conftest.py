"""Clients of vendors through nginx, gateway and API, to upstreams that record every byte.

Configs and tokens are made over the API, with the auth mechanism and the rules of the shipped
configs; only the endpoint is the recorder's. The commands are those of ``docs/gateway-clients.md``.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.services.container import Services
from tests.e2e.account import Account
from tests.e2e.gateway.conftest import Gateway, gateway_environment, started_gateway
from tests.e2e.gateway.sdks.agent import CREDENTIAL, Agent
from tests.support.certificates import Certificate, make_certificate
from tests.support.gateway.recorder import Recorder
from tests.support.nginx import Nginx, nginx
from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, running

_SHIPPED = Path(__file__).parents[4] / "config" / "gateways.json"


@pytest.fixture(scope="module")
def front_port() -> int:
    """Known before nginx starts, as the gateway's URL names it."""
    return free_port()


@pytest.fixture(scope="module")
def gateway_url(front_port: int) -> str:
    """The gateway's URL; a module that tries names of hosts has another."""
    return f"https://localhost:{front_port}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    directory = tmp_path_factory.mktemp("certificate")
    return make_certificate(directory, "127.0.0.1", "localhost", "*.gw.localhost")


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory, sockets: Path, gateway_url: str
) -> Iterator[Strongroom]:
    settings = {
        "PORT": (port := str(free_port())),
        "STRONGROOM_BIND": f"127.0.0.1:{port} unix:{sockets}/server.sock",
        "STRONGROOM_GATEWAY_URL": gateway_url,
        "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
        "STRONGROOM_GATEWAY_SOCKET": f"{sockets}/admission.sock",
        "STRONGROOM_WORKERS": "1",
    }
    with running(tmp_path_factory.mktemp("api"), settings) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    sockets: Path,
    gateway_key: str,
    certificate: Certificate,
    gateway_url: str,
) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    listening = f"http://127.0.0.1:{free_port()}"
    environment = gateway_environment(directory, sockets, gateway_key, listening, certificate)
    environment["STRONGROOM_GATEWAY_URL"] = gateway_url
    with started_gateway(directory, environment, sockets / "gateway.sock") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory,
    gateway: Gateway,
    sockets: Path,
    certificate: Certificate,
    front_port: int,
) -> Iterator[Nginx]:
    with nginx(
        tmp_path_factory.mktemp("nginx"),
        sockets / "server.sock",
        certificate,
        gateway=gateway.socket,
        gateway_names="localhost *.gw.localhost",
        port=front_port,
    ) as front:
        yield front


@pytest.fixture(scope="module")
def account(api: Strongroom, services: Services) -> Iterator[Account]:
    with Account.new(api.url, services) as account:
        yield account


@pytest.fixture
def agent_of(
    account: Account,
    front: Nginx,
    certificate: Certificate,
    upstream: Recorder,
    tmp_path: Path,
) -> Callable[..., Agent]:
    """Makes an agent for one of the shipped configs, with a token that was minted over the API."""

    def make(shipped: str, prefix: str, **changes: object) -> Agent:
        (config,) = (each for each in json.loads(_SHIPPED.read_text()) if each["name"] == shipped)
        config["name"] = f"{shipped} for {tmp_path.name}"
        base = urlsplit(config["endpoint"]).path
        config["endpoint"] = f"https://127.0.0.1:{upstream.port}{base}"
        basic = config["auth_mechanism"]["type"] == "basic"
        secret = f"KEY_FOR_{tmp_path.name}"
        assert account.create(secret, f"agent:{CREDENTIAL}" if basic else CREDENTIAL).ok
        made = account.call("POST", "/v1/gateway-configs", config | changes)
        assert made.ok, made.text
        names = {"gateway": made.json()["id"], "secret": secret}
        minted = account.call("POST", "/v1/devboxes/a-box/create_gateway_token", names).json()
        return Agent(prefix, minted["url"], minted["token"], tmp_path, certificate.ca_file)

    return make
