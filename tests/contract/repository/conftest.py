"""Parametrised fixtures over the table of cases."""

import pytest

from app.repository.base import Database
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase
from tests.contract.repository.cases import CASES


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> DatabaseCase:
    """A database of every kind, not made yet."""
    return CASES[request.param](request)


@pytest.fixture
def database(case: DatabaseCase) -> Database:
    """A database with two accounts, each of which has an API key and an active data key."""
    case.make()
    database = case.connect()
    with database.writing() as work:
        work.deployment.add("dep_1")
        for account_id in (rows.OURS, rows.THEIRS):
            work.accounts.add(rows.account(account_id))
            work.api_keys.add(rows.api_key(account_id))
            work.data_keys.add(rows.data_key(account_id), [rows.wrapping(account_id)])
        work.commit()
    return database


@pytest.fixture
def elsewhere(case: DatabaseCase, database: Database) -> Database:
    """The same database, as another process sees it."""
    return case.connect()
