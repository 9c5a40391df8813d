"""A fresh deployment for each test: a copy of one that was initialised once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services.container import Services
from tests.support.databases import Rows
from tests.support.deployment import Ask, Asking, Clock, Deployment, Tenant, copied, new_tenant


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a deployment that nobody has used yet."""
    home = tmp_path_factory.mktemp("initialised")
    home.chmod(0o700)
    deployment = Deployment(home, Clock())
    deployment.key_file("keys")
    deployment.process().setup.initialise()
    deployment.close()
    return home


@pytest.fixture
def deployment(initialised: Path, tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(copied(initialised, tmp_path / "home"), Clock())
    yield deployment
    deployment.close()


@pytest.fixture
def services(deployment: Deployment) -> Services:
    """One process of the deployment."""
    return deployment.process()


@pytest.fixture
def tenant(services: Services) -> Tenant:
    return new_tenant(services)


@pytest.fixture
def rows(deployment: Deployment) -> Iterator[Rows]:
    """The database as someone who can write to it sees it."""
    with deployment.rows() as rows:
        yield rows


@pytest.fixture(params=["warm", "cold"])
def asking(request: pytest.FixtureRequest, deployment: Deployment) -> Asking:
    """Makes a question for a value, to be asked in a process that has its data key, or has not."""

    def prepare(tenant: Tenant, name: str) -> Ask:
        assert tenant.value(name)
        token = tenant.inject(name).token
        if request.param == "warm":
            return lambda: tenant.redeem(token)
        return lambda: tenant.at(deployment.process()).redeem(token)

    return prepare
