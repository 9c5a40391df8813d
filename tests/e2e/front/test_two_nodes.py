"""Two nodes on one PostgreSQL behind the shipped nginx: no request fails if one ends.

Both official clients write all the time. Each request succeeds after the client's own retries, and
what they made is there, once.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from runloop_api_client import Runloop

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.e2e.front.load import Load
from tests.support.certificates import Certificate
from tests.support.javascript import JavaScript
from tests.support.nginx import Nginx, nginx
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer
from tests.support.strongroom import Strongroom

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sockets() -> Iterator[tuple[Path, Path]]:
    with TemporaryDirectory(prefix="strongroom-") as directory:
        yield Path(directory, "a.sock"), Path(directory, "b.sock")


@pytest.fixture(scope="module")
def nodes(
    tmp_path_factory: pytest.TempPathFactory,
    postgresql: PostgresqlServer,
    sockets: tuple[Path, Path],
) -> Iterator[tuple[Strongroom, Strongroom]]:
    """Two nodes with one database and one key file."""
    directory = tmp_path_factory.mktemp("nodes")
    url = postgresql.url(postgresql.create_database())
    made = []
    for name, socket in zip("ab", sockets, strict=True):
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
            "PORT": str(port),
            "STRONGROOM_HOME": str(directory / name),
            "STRONGROOM_KEYS": f"local-fernet:{directory}/a/keys",
            "STRONGROOM_DATABASE_URL": url,
            "STRONGROOM_BIND": f"unix:{socket} 127.0.0.1:{port}",
            "STRONGROOM_TRUSTED_PROXIES": "1",
            "STRONGROOM_WORKERS": "1",
            "STRONGROOM_THREADS": "8",
        }
        made.append(Strongroom(directory / name, environment, directory / f"{name}.log"))
    first, second = made
    first.command("init")
    second.home.mkdir(mode=0o700)
    for node in made:
        node.start()
    yield first, second
    for node in made:
        node.kill()


@pytest.fixture(scope="module")
def operator(nodes: tuple[Strongroom, Strongroom]) -> Iterator[Services]:
    with closing(build(load(nodes[0].environment))) as services:
        yield services


@pytest.fixture
def account(nodes: tuple[Strongroom, Strongroom], operator: Services) -> Iterator[Account]:
    """A new account, which looks at the second node itself."""
    with Account.new(nodes[1].url, operator) as account:
        yield account


@pytest.fixture
def front(tmp_path: Path, sockets: tuple[Path, Path], certificate: Certificate) -> Iterator[Nginx]:
    sooner = {"proxy_read_timeout 20s": "proxy_read_timeout 3s"}  # for the frozen node
    with nginx(tmp_path, sockets, certificate, sooner) as front:
        yield front


@pytest.fixture
def running(
    tmp_path: Path,
    account: Account,
    front: Nginx,
    certificate: Certificate,
    javascript: JavaScript,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Load]:
    environ = {
        "RUNLOOP_BASE_URL": front.url,
        "RUNLOOP_API_KEY": account.token,
        "NODE_EXTRA_CA_CERTS": str(certificate.ca_file),
        "SSL_CERT_FILE": str(certificate.ca_file),
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with Runloop() as client:
        running = Load(tmp_path, client, javascript, environ)
        try:
            yield running
        finally:
            running.finish()


def kill(node: Strongroom, running: Load) -> None:
    node.kill()
    running.wait_for_more()
    node.start()


def restart(node: Strongroom, running: Load) -> None:
    node.stop()
    running.wait_for_more()
    node.start()


def reload(node: Strongroom, running: Load) -> None:
    node.reload()


def freeze(node: Strongroom, running: Load) -> None:
    frozen = node.processes()
    for process in frozen:
        os.kill(process, signal.SIGSTOP)
    running.wait_for_more()
    for process in frozen:
        os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("end", [kill, restart, reload, freeze])
def test_no_request_fails_after_the_clients_own_retries(
    end: Callable[[Strongroom, Load], None],
    nodes: tuple[Strongroom, Strongroom],
    running: Load,
    account: Account,
) -> None:
    running.wait_for_more()
    end(nodes[0], running)
    running.wait_for_more()
    running.finish()
    assert running.failed == []
    assert sorted(account.names()) == sorted(running.made + running.made_by_javascript)
