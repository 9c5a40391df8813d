"""KMS, a directory whose keyring is changed while servers run, and a server to cut off."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.e2e.keys.roots import TransitRoot, settings
from tests.e2e.keys.site import OUTAGES, Site
from tests.support.faulty_proxy import FaultyProxy
from tests.support.kms import KmsServer, environment_for, kms_server
from tests.support.openbao import OpenBao
from tests.support.ports import free_port
from tests.support.strongroom import running
from tests.support.terminal import Terminal


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever takes an ``outage`` gets the quickest one, and when proving each of them."""
    if "outage" in metafunc.fixturenames:
        kinds = list(OUTAGES if metafunc.config.getoption("--prove") else ["refusing"])
        outages = [OUTAGES[kind] for kind in kinds]
        metafunc.parametrize("outage", outages, ids=kinds, scope="module")


@pytest.fixture(scope="session")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KmsServer]:
    """KMS over HTTP; every test makes keys of its own."""
    with kms_server(tmp_path_factory.mktemp("kms")) as server:
        yield server


@pytest.fixture
def kms_proxy(kms: KmsServer) -> Iterator[FaultyProxy]:
    """The way to KMS."""
    proxy = FaultyProxy(kms.host)
    yield proxy
    proxy.close()


@pytest.fixture
def aws(kms_proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that a process needs to call KMS; this process has it too."""
    environment = environment_for(kms_proxy.host)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """The operator's command in this process, on a keyring of ``list_keys``."""
    terminal = Terminal(tmp_path / "home")
    terminal.environ |= settings(tmp_path) | {"PORT": str(free_port())}
    del terminal.environ["STRONGROOM_BIND"]  # a server of the same settings is asked over TCP
    return terminal


@pytest.fixture
def until() -> Iterator[ExitStack]:
    """A stack of changes that are undone when the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="package")
def site(
    kms: KmsServer, openbao: OpenBao, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A server that reaches its providers through proxies, KMS first."""
    directory = tmp_path_factory.mktemp("site")
    with closing(FaultyProxy(kms.host)) as first, closing(FaultyProxy(openbao.host)) as escrow:
        uri = TransitRoot(openbao, escrow.host, directory).uri + "&id=site"
        keys = {
            "STRONGROOM_KEYS": f"aws-kms:{kms.point_alias('site', kms.create_key())} {uri}",
            "STRONGROOM_ESCROW_KEYS": uri,
        }
        hindered = keys | environment_for(first.host) | {"STRONGROOM_WORKERS": "1"}
        direct = {name: uris.replace(escrow.host, openbao.host) for name, uris in keys.items()}
        unhindered = direct | environment_for(kms.host)
        with (
            running(directory, hindered) as server,
            operating(server.environment | unhindered) as operator,
        ):
            yield Site(server, operator, first, escrow)


@contextmanager
def operating(environment: Mapping[str, str]) -> Iterator[Services]:
    """The services of this process, with settings and credentials of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in environment.keys() & environment_for(""):
            patch.setenv(name, environment[name])
        with closing(build(load(environment))) as services:
            yield services


@pytest.fixture
def account(site: Site) -> Iterator[Account]:
    """A new account that keeps the secret KEPT; its data key is unknown to the server."""
    with site.account() as account:
        yield account


@pytest.fixture
def newcomer(site: Site) -> Iterator[Account]:
    """A new account that has no data key yet."""
    with site.newcomer() as account:
        yield account
