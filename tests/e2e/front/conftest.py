"""The server behind nginx, as both ship."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.support.certificates import Certificate, make_certificate
from tests.support.nginx import Nginx, nginx
from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, running

THREADS = 4


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
    }
    with running(tmp_path_factory.mktemp("behind-nginx"), settings) as server:
        yield server


@pytest.fixture(scope="package")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


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
