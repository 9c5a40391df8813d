"""Parametrised fixtures over the table of cases."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from app.repository.base import Database
from app.repository.connect import connect
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase
from tests.contract.repository.cases import CASES
from tests.support.postgresql import PostgresqlServer
from tests.support.postgresql_roles import OWNER, find_schema_everywhere, make_roles


@pytest.fixture(scope="session")
def database_of_roles(postgresql: PostgresqlServer) -> str:
    """The name of a PostgreSQL database with the shipped roles and no table, to be copied."""
    name = postgresql.create_database()
    make_roles(postgresql, name)
    find_schema_everywhere(postgresql)
    return name


@pytest.fixture(scope="session")
def migrated_database_of_roles(postgresql: PostgresqlServer, database_of_roles: str) -> str:
    """The name of one with all tables and no row."""
    name = postgresql.create_database(database_of_roles)
    with closing(connect(postgresql.url(name, user=OWNER))) as database:
        database.upgrade()
    return name


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> DatabaseCase:
    """A database of every kind, not made yet."""
    return CASES[request.param](request)


@pytest.fixture
def database(case: DatabaseCase) -> Database:
    """A database with two accounts, each of which has an API key and an active data key."""
    return make_with_accounts(case)


def make_with_accounts(case: DatabaseCase) -> Database:
    case.make()
    with case.connect(operating=True).writing() as work:
        work.deployment.add("dep_1")
        for account_id in (rows.OURS, rows.THEIRS):
            work.accounts.add(rows.account(account_id))
            work.api_keys.add(rows.api_key(account_id))
            work.data_keys.add(rows.data_key(account_id), [rows.wrapping(account_id)])
        work.commit()
    return case.connect()


@pytest.fixture
def elsewhere(case: DatabaseCase, database: Database) -> Database:
    """The same database, as another process sees it."""
    return case.connect()


@pytest.fixture
def no_deadlock(case: DatabaseCase) -> Iterator[None]:
    """Fail a test in which the database had to end a deadlock, whoever noticed it."""
    before = case.count_deadlocks()
    yield
    assert case.count_deadlocks() == before
