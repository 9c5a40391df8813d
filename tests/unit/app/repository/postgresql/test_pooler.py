"""A real pgbouncer between: refused unless it is announced, and served through if it is."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from app.domain.secrets import SecretRef
from app.repository.connect import connect
from app.repository.postgresql.connections import SESSION_SETTINGS
from app.repository.postgresql.options import ServerOptions
from tests.contract.repository import rows
from tests.support.pgbouncer import pgbouncer
from tests.support.postgresql import PostgresqlServer

PLAIN, PREPARED = "pooled_plain", "pooled_prepared"
"""Roles: as they are made, and with our session settings."""

POOLED = ServerOptions(pooler=True)


@pytest.fixture(scope="module")
def pooled(postgresql: PostgresqlServer, migrated_database: str) -> Iterator[str]:
    """The address of a copy of the migrated database behind the pooler, without a user."""
    for role in (PLAIN, PREPARED):
        postgresql.execute(f"CREATE ROLE {role} LOGIN")
    for name, value in SESSION_SETTINGS.items():
        postgresql.execute(f"ALTER ROLE {PREPARED} SET {name} = '{value}'")
    database = postgresql.create_database(migrated_database)
    postgresql.execute(
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {PLAIN}, {PREPARED}", database=database
    )
    with pgbouncer(postgresql, PLAIN, PREPARED) as port:
        yield f"postgresql://127.0.0.1:{port}/{database}?user="


def faults(url: str, options: ServerOptions) -> list[str]:
    with closing(connect(url, options)) as database:
        return database.check().faults


def test_a_pooler_that_refuses_our_session_leads_to_the_setting(pooled: str) -> None:
    (fault,) = faults(pooled + PREPARED, ServerOptions())
    assert "STRONGROOM_DATABASE_POOLER=1" in fault


def test_behind_a_pooler_the_settings_must_come_from_the_role(pooled: str) -> None:
    (fault,) = faults(pooled + PLAIN, POOLED)
    assert "ALTER ROLE" in fault
    assert all(name in fault for name in SESSION_SETTINGS)


def test_behind_a_pooler_a_role_with_our_settings_has_no_fault(pooled: str) -> None:
    assert faults(pooled + PREPARED, POOLED) == []


def test_reads_and_writes_go_through_a_pooler_however_often(pooled: str) -> None:
    with (
        closing(connect(pooled + PREPARED, POOLED)) as one,
        closing(connect(pooled + PREPARED, POOLED)) as other,
    ):
        with one.writing() as work:
            work.accounts.add(rows.account())
            work.data_keys.add(rows.data_key(), [rows.wrapping()])
            work.commit()
        for number in range(20):
            with one.writing() as work:
                work.secrets.add(rows.secret(number))
                work.commit()
            with other.reading() as repository:
                found = repository.secrets.view(rows.OURS, SecretRef.by_id(rows.secret(number).id))
            assert found is not None
