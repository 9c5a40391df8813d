"""The schema: made once, whoever asks, and told from an older and a newer one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.base import Database, DatabaseMisconfigured
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase


def test_a_new_database_has_no_fault(database: Database) -> None:
    assert database.check().faults == []


def test_a_database_that_was_not_made_is_a_fault_that_names_the_setting(
    case: DatabaseCase,
) -> None:
    faults = case.connect().check().faults
    assert faults
    assert all(fault.startswith("STRONGROOM_DATABASE_URL: ") for fault in faults)


def test_no_fault_repeats_the_address(case: DatabaseCase) -> None:
    assert case.url.removeprefix("sqlite:///") not in " ".join(case.connect().check().faults)


def test_a_database_that_was_not_made_is_unavailable(case: DatabaseCase) -> None:
    with pytest.raises(StorageUnavailable):
        case.connect().ping()


def test_a_database_exists_once_it_was_made(case: DatabaseCase) -> None:
    database = case.connect()
    assert not database.exists()
    database.upgrade()
    assert database.exists()


def test_an_upgraded_database_answers(database: Database) -> None:
    database.ping()


def test_a_second_upgrade_changes_nothing(database: Database, elsewhere: Database) -> None:
    elsewhere.upgrade()
    with database.reading() as repository:
        assert repository.accounts.get(rows.OURS) == rows.account()


def test_upgrades_at_once_make_one_database(case: DatabaseCase) -> None:
    databases = [case.connect() for _ in range(4)]
    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(lambda database: database.upgrade(), databases))
    assert [database.check().faults for database in databases] == [[]] * 4


def test_an_older_database_is_a_fault(database: Database, case: DatabaseCase) -> None:
    case.execute("DELETE FROM alembic_version")
    (fault,) = database.check().faults
    assert fault.startswith("STRONGROOM_DATABASE_URL: ")
    assert "strongroom db upgrade" in fault


def test_a_newer_database_is_a_fault(database: Database, case: DatabaseCase) -> None:
    case.execute("UPDATE alembic_version SET version_num = '9999'")
    assert database.check().faults == [
        "STRONGROOM_DATABASE_URL: the database was made by a newer version of Strongroom."
    ]


def test_a_database_from_before_the_first_release_is_a_fault_that_says_so(
    database: Database, case: DatabaseCase
) -> None:
    case.execute("UPDATE alembic_version SET version_num = '0001'")
    (fault,) = database.check().faults
    assert "before the first release" in fault


def test_a_database_from_before_the_first_release_is_not_upgraded(
    database: Database, case: DatabaseCase
) -> None:
    case.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(DatabaseMisconfigured, match="before the first release"):
        database.upgrade()


def test_a_newer_database_is_not_upgraded(database: Database, case: DatabaseCase) -> None:
    case.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseMisconfigured, match="newer version"):
        database.upgrade()
