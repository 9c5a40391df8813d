"""A server with an admission socket, and a tenant with a gateway token."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.support.deployment import Tenant, new_tenant
from tests.support.gateways import Minted, store_config, store_token
from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, running

CANARY = "canary-7f3a9d-of-the-gateway"
SECRET = "A_SECRET"


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """A directory with a short path, as sockets need it, through which every user may pass."""
    with TemporaryDirectory(prefix="strongroom-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, sockets: Path) -> Iterator[Strongroom]:
    """A server that admits, and also listens where nginx would ask."""
    settings = {
        "PORT": (port := str(free_port())),
        "STRONGROOM_BIND": f"127.0.0.1:{port} unix:{sockets}/server.sock",
        "STRONGROOM_GATEWAY_URL": "http://127.0.0.1:9",
        "STRONGROOM_GATEWAY_SOCKET": f"{sockets}/admission.sock",
        "STRONGROOM_LOG_LEVEL": "DEBUG",
        "STRONGROOM_WORKERS": "1",
    }
    with running(tmp_path_factory.mktemp("api"), settings) as server:
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
