"""A server with an admission socket, and a tenant with a gateway token."""

import os
import signal
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import requests

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.support.certificates import Certificate, make_certificate
from tests.support.deployment import Tenant, new_tenant
from tests.support.gateway.loop_thread import LoopThread
from tests.support.gateway.recorder import Recorder, recorder
from tests.support.gateway.stored import Minted, store_config, store_token
from tests.support.nginx import GATEWAY_NAME, Nginx, nginx
from tests.support.ports import free_port
from tests.support.preloaded import Program, start_command
from tests.support.strongroom import Strongroom, running
from tests.support.waiting import wait_until

CANARY = "canary-7f3a9d-of-the-gateway"
SECRET = "A_SECRET"

_NAMES = f"{GATEWAY_NAME} *.{GATEWAY_NAME} localhost *.gw.localhost"
"""The shipped names of the gateway, and those by which clients here reach it."""


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """A directory with a short path, as sockets need it, through which every user may pass."""
    with TemporaryDirectory(prefix="strongroom-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


@pytest.fixture(scope="module")
def listening() -> str:
    """The URL at which the gateway listens on loopback."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def gateway_url(listening: str) -> str:
    """The URL that tokens come with; modules whose clients go through nginx have another."""
    return listening


@pytest.fixture(scope="module")
def front_port() -> int:
    """Known before nginx starts, as the gateway's URL may name it."""
    return free_port()


@contextmanager
def admitting(
    directory: Path, sockets: Path, gateway_url: str, more: Mapping[str, str] | None = None
) -> Iterator[Strongroom]:
    """Run a server that admits, and also listens where nginx would ask, until the block ends."""
    settings = {
        "PORT": (port := str(free_port())),
        "STRONGROOM_BIND": f"127.0.0.1:{port} unix:{sockets}/server.sock",
        "STRONGROOM_GATEWAY_URL": gateway_url,
        "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
        "STRONGROOM_GATEWAY_SOCKET": f"{sockets}/admission.sock",
        "STRONGROOM_LOG_LEVEL": "DEBUG",
        "STRONGROOM_WORKERS": "1",
        **(more or {}),
    }
    with running(directory, settings) as server:
        yield server


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory, sockets: Path, gateway_url: str
) -> Iterator[Strongroom]:
    with admitting(tmp_path_factory.mktemp("api"), sockets, gateway_url) as server:
        yield server


@pytest.fixture(scope="module")
def admission_socket(sockets: Path) -> str:
    return f"{sockets}/admission.sock"


@pytest.fixture(scope="module")
def gateway_key(api: Strongroom) -> str:
    """The key that ``init`` made."""
    return (api.home / "gateway.key").read_text().strip()


@pytest.fixture(scope="module")
def services(api: Strongroom) -> Iterator[Services]:
    """The services on the same database, from outside the server's processes."""
    with closing(build(load(api.environment))) as services:
        yield services


@pytest.fixture
def tenant(services: Services) -> Tenant:
    tenant = new_tenant(services)
    tenant.create(SECRET, CANARY)
    return tenant


@pytest.fixture
def minted(tenant: Tenant) -> Minted:
    return store_token(tenant, store_config(tenant), SECRET)


@dataclass(frozen=True)
class Gateway:
    """A real process of the gateway, which ``strongroom gateway`` has become.

    Attributes:
        environment: All that it is given: no database, no key provider, no home of the API.
        url: The one at which it listens on loopback.
        socket: The one on which nginx asks.
    """

    environment: dict[str, str]
    url: str
    socket: Path
    log: Path
    process: Program

    def masters_and_workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """For nginx and for the upstream."""
    directory = tmp_path_factory.mktemp("certificate")
    return make_certificate(directory, "127.0.0.1", "localhost", GATEWAY_NAME, "*.gw.localhost")


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    with LoopThread() as thread:
        yield thread


@pytest.fixture(scope="module")
def recording(thread: LoopThread, certificate: Certificate) -> Iterator[Recorder]:
    """An upstream that speaks TLS."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.file, certificate.key_file)
    with thread.entered(recorder(tls)) as upstream:
        yield upstream


@pytest.fixture
def upstream(recording: Recorder) -> Recorder:
    """The same, without what came before."""
    recording.clear()
    return recording


def gateway_environment(
    directory: Path, sockets: Path, key: str, listening: str, certificate: Certificate
) -> dict[str, str]:
    """Make a home for a gateway, and the environment of its process."""
    home = directory / "home-of-the-gateway"
    home.mkdir(mode=0o700)
    key_file = home / "gateway.key"
    key_file.touch(mode=0o600)
    key_file.write_text(key)
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
        "STRONGROOM_HOME": str(home),
        "STRONGROOM_GATEWAY_URL": listening,
        "STRONGROOM_GATEWAY_SOCKET": f"{sockets}/admission.sock",
        "STRONGROOM_GATEWAY_BIND": (
            f"{listening.removeprefix('http://')} unix:{sockets}/gateway.sock"
        ),
        "STRONGROOM_GATEWAY_NETWORKS": "127.0.0.0/8",
        "STRONGROOM_GATEWAY_CA_FILE": str(certificate.ca_file),
        "STRONGROOM_GATEWAY_WORKERS": "1",
        "STRONGROOM_LOG_LEVEL": "DEBUG",
    }


@contextmanager
def started_gateway(
    directory: Path, environment: dict[str, str], socket: Path
) -> Iterator[Gateway]:
    """Start ``strongroom gateway``, until the block ends."""
    log = directory / "gateway.log"
    url = f"http://{environment['STRONGROOM_GATEWAY_BIND'].split()[0]}"
    process = start_command(("gateway",), environment, log, log)
    gateway = Gateway(environment, url, socket, log, process)
    try:
        wait_until(lambda: is_answering(gateway.url), 120)
        yield gateway
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(60)


def is_answering(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    api: Strongroom,
    sockets: Path,
    gateway_key: str,
    listening: str,
    gateway_url: str,
    certificate: Certificate,
) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    assert api.api_key
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
    """The shipped nginx, in front of both."""
    with nginx(
        tmp_path_factory.mktemp("nginx"),
        sockets / "server.sock",
        certificate,
        gateway=gateway.socket,
        gateway_names=_NAMES,
        port=front_port,
    ) as front:
        yield front


@pytest.fixture
def client(front: Nginx, certificate: Certificate) -> Iterator[httpx.Client]:
    """An agent's client: HTTP/2 over TLS, to the gateway's name."""
    trust = ssl.create_default_context(cafile=str(certificate.ca_file))

    def use_name(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = GATEWAY_NAME

    with httpx.Client(
        base_url=front.url,
        verify=trust,
        http2=True,
        headers={"Host": GATEWAY_NAME},
        event_hooks={"request": [use_name]},
        trust_env=False,
        timeout=60,
    ) as client:
        yield client


@pytest.fixture
def agent(tenant: Tenant, upstream: Recorder) -> Minted:
    """A token for the upstream that records."""
    return store_token(tenant, store_config(tenant, f"https://localhost:{upstream.port}"), SECRET)
