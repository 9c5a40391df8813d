"""One server for all proofs that do not disturb it, and an account for each of them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.bootstrap import build
from app.services.container import Services
from config import load
from tests.e2e.account import Account
from tests.support.javascript import JavaScript
from tests.support.strongroom import Strongroom, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    """A server that logs all it can."""
    directory = tmp_path_factory.mktemp("strongroom")
    with running(directory, {"STRONGROOM_LOG_LEVEL": "DEBUG"}) as server:
        yield server


@pytest.fixture(scope="session")
def operator(server: Strongroom) -> Iterator[Services]:
    """The services on the same database, from outside the server's processes."""
    with closing(build(load(server.environment))) as services:
        yield services


@pytest.fixture
def account(server: Strongroom, operator: Services) -> Iterator[Account]:
    """A new account with an API key."""
    with Account.new(server.url, operator) as account:
        yield account


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Strongroom]:
    """A server that the test may disturb."""
    with running(tmp_path, {"STRONGROOM_LOG_LEVEL": "DEBUG"}) as server:
        yield server


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> JavaScript:
    """The official JavaScript client."""
    return JavaScript(tmp_path_factory.mktemp("javascript"))
