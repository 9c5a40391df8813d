"""A PostgreSQL database that holds what the tests of all databases start with."""

from collections.abc import Iterator

import pytest

from app.repository.postgresql.database import PostgresqlDatabase
from app.repository.postgresql.options import ServerOptions
from tests.contract.repository import rows
from tests.support.postgresql import PostgresqlServer


@pytest.fixture
def name(postgresql: PostgresqlServer, migrated_database: str) -> Iterator[str]:
    """The name of a database of the test's own, with all tables."""
    name = postgresql.create_database(migrated_database)
    yield name
    postgresql.drop_database(name)


@pytest.fixture
def database(postgresql: PostgresqlServer, name: str) -> Iterator[PostgresqlDatabase]:
    """It, with one account, an API key and an active data key."""
    database = open_database(postgresql.url(name))
    fill(database)
    yield database
    database.close()


def open_database(url: str, connections: int = 8) -> PostgresqlDatabase:
    """The database as one more process would see it."""
    return PostgresqlDatabase(url, ServerOptions(connections=connections))


def fill(database: PostgresqlDatabase) -> None:
    """Make one account."""
    with database.writing() as work:
        work.deployment.add("dep_1")
        work.accounts.add(rows.account())
        work.api_keys.add(rows.api_key())
        work.data_keys.add(rows.data_key(), [rows.wrapping()])
        work.commit()
