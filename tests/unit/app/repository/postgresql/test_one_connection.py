"""Nothing borrows a connection while it has one: a process can do all with a single one."""

from collections.abc import Iterator

import pytest

from app.repository.postgresql.database import PostgresqlDatabase
from tests.support.deployment import sweep
from tests.support.postgresql import PostgresqlServer
from tests.unit.app.repository.postgresql.deployed import Deployed, deployed
from tests.unit.app.repository.postgresql.operations import OPERATIONS


@pytest.fixture(scope="module")
def deployment(
    postgresql: PostgresqlServer,
    migrated_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """A process with two threads, and so with one connection."""
    home = tmp_path_factory.mktemp("home")
    with deployed(home, postgresql, migrated_database, STRONGROOM_THREADS="2") as deployment:
        yield deployment


def test_a_process_has_half_as_many_connections_as_threads(deployment: Deployed) -> None:
    database = deployment.api.services.setup._database
    assert isinstance(database, PostgresqlDatabase)
    assert database._options.connections == 1


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_connection_suffices_with_empty_and_with_full_caches(
    deployment: Deployed, name: str
) -> None:
    account = deployment.new_account()
    client = account.client()
    for _ in range(2):
        assert OPERATIONS[name](account, client)().status_code == 200


def test_one_connection_suffices_for_the_sweep(deployment: Deployed) -> None:
    deployment.new_account()
    sweep(deployment.api.services)
