"""KMS and a directory whose keyring is changed while servers run."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.keys.roots import settings
from tests.operator.conftest import Terminal
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.kms import CREDENTIALS, KmsServer, kms_server


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
    """What a process needs to ask KMS; this process has it too."""
    environment = {"AWS_ENDPOINT_URL_KMS": f"http://{kms_proxy.host}", **CREDENTIALS}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """The operator's command in this process, on a keyring of ``list_keys``."""
    terminal = Terminal(tmp_path / "home")
    terminal.environ |= settings(tmp_path)
    return terminal


@pytest.fixture
def until() -> Iterator[ExitStack]:
    """What is undone when the test ends."""
    with ExitStack() as stack:
        yield stack
