"""A schema that a newer version has expanded: served if it says that this code survives it."""

import pytest

from app.repository.base import Database, DatabaseMisconfigured
from app.repository.sql.schema import NEWEST, SURVIVED_BY, revisions
from tests.contract.repository import rows
from tests.contract.repository.case import DatabaseCase

COLUMN_OF_THE_VERSION = 32
EXPANDED = f"9999{SURVIVED_BY}{NEWEST}"


def set_version(case: DatabaseCase, revision: str) -> None:
    case.execute(f"UPDATE alembic_version SET version_num = '{revision}'")


def test_a_schema_that_this_code_survives_is_no_fault(
    database: Database, case: DatabaseCase
) -> None:
    set_version(case, EXPANDED)
    assert database.check().faults == []


def test_an_upgrade_leaves_a_schema_that_was_expanded_as_it_is(
    database: Database, case: DatabaseCase
) -> None:
    set_version(case, EXPANDED)
    assert database.upgrade() is None
    case.execute(f"DELETE FROM alembic_version WHERE version_num = '{EXPANDED}'")
    (fault,) = database.check().faults  # nothing else stood in its place
    assert "strongroom db upgrade" in fault


def test_a_schema_that_only_newer_code_survives_is_a_fault(
    database: Database, case: DatabaseCase
) -> None:
    set_version(case, f"9999{SURVIVED_BY}9998")
    (fault,) = database.check().faults
    assert "newer version" in fault
    with pytest.raises(DatabaseMisconfigured, match="newer version"):
        database.upgrade()


def test_code_reads_and_writes_rows_with_columns_that_it_does_not_know(
    database: Database, case: DatabaseCase
) -> None:
    set_version(case, EXPANDED)
    case.execute("ALTER TABLE secrets ADD COLUMN added TEXT DEFAULT 'x'")
    with database.writing() as work:
        work.secrets.add(rows.secret())
        work.commit()
    with database.reading() as repository:
        assert repository.secrets.find(rows.OURS, [rows.secret().id]) != []


def test_every_revision_fits_into_the_row_of_the_version() -> None:
    assert max(map(len, revisions())) <= COLUMN_OF_THE_VERSION
