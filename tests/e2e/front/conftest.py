"""The server behind nginx, as both ship."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.support.certificates import Certificate, make_certificate
from tests.support.nginx import Nginx, nginx
from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, running

THREADS = 4
GATEWAY_URL = "https://gw.strongroom.test"
API_NAME = "api.strongroom.test"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the server.

    Attributes:
        url: The base URL.
        environment: It, and the certificate authority to trust, as clients read them.
    """

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="package")
def socket_path() -> Iterator[Path]:
    """The socket on which the server listens for nginx, with a short path as sockets need."""
    with TemporaryDirectory(prefix="strongroom-") as directory:
        yield Path(directory) / "server.sock"


@pytest.fixture(scope="package")
def backend(tmp_path_factory: pytest.TempPathFactory, socket_path: Path) -> Iterator[Strongroom]:
    """One worker of few threads."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "STRONGROOM_BIND": f"unix:{socket_path} 127.0.0.1:{port}",
        "STRONGROOM_TRUSTED_PROXIES": "1",
        "STRONGROOM_WORKERS": "1",
        "STRONGROOM_THREADS": str(THREADS),
        "STRONGROOM_GATEWAY_URL": GATEWAY_URL,
        "STRONGROOM_GATEWAY_SOCKET": str(socket_path.with_name("admission.sock")),
    }
    with running(tmp_path_factory.mktemp("behind-nginx"), settings) as server:
        yield server


@pytest.fixture(scope="package")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"), "127.0.0.1", API_NAME)


@pytest.fixture(scope="package")
def front(
    tmp_path_factory: pytest.TempPathFactory,
    backend: Strongroom,
    socket_path: Path,
    certificate: Certificate,
) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("nginx"), socket_path, certificate) as front:
        yield front


@pytest.fixture
def trust(certificate: Certificate) -> ssl.SSLContext:
    """A client's TLS context; clients set their protocol in it."""
    return ssl.create_default_context(cafile=str(certificate.ca_file))


@pytest.fixture
def client(front: Nginx, backend: Strongroom, trust: ssl.SSLContext) -> Iterator[httpx.Client]:
    """A client that speaks HTTP/2 to nginx."""
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    with httpx.Client(
        base_url=front.url, verify=trust, http2=True, headers=headers, trust_env=False, timeout=30
    ) as client:
        yield client


@pytest.fixture(scope="package", params=["directly", "through nginx"])
def way(
    request: pytest.FixtureRequest, backend: Strongroom, front: Nginx, certificate: Certificate
) -> Way:
    url = backend.url if request.param == "directly" else front.url
    ca_file = str(certificate.ca_file)
    variables = {"RUNLOOP_BASE_URL": url, "SSL_CERT_FILE": ca_file, "NODE_EXTRA_CA_CERTS": ca_file}
    return Way(url, variables)


@pytest.fixture(scope="package")
def backend_operator(backend: Strongroom) -> Iterator[Services]:
    """The services on the same database, from outside the server's processes."""
    with closing(build(load(backend.environment))) as services:
        yield services


@pytest.fixture
def account(backend: Strongroom, backend_operator: Services) -> Iterator[Account]:
    """A new account with an API key, which looks at the server itself."""
    with Account.new(backend.url, backend_operator) as account:
        yield account
