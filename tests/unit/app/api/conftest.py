"""One deployment on SQLite and a local key file for all tests of the API; an account for each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app import bootstrap
from app.server.application import Application
from config import load
from tests.support import databases
from tests.support.api_deployment import Account, ApiDeployment, Client

GATEWAY_URL = "https://gw.example.com"


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDeployment]:
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    _write_key(home / "keys")
    chosen = {"STRONGROOM_GATEWAY_URL": GATEWAY_URL, **databases.chosen.settings(home)}
    settings = load({"STRONGROOM_HOME": str(home), **chosen})
    services = bootstrap.build(settings)
    services.setup.initialise()
    yield ApiDeployment(settings, services, Application(lambda: services))
    services.close()


@pytest.fixture
def account(deployment: ApiDeployment) -> Account:
    return deployment.new_account()


@pytest.fixture
def client(account: Account) -> Client:
    return account.client()


def _write_key(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
