"""A server whose disk is full, or that has no connection left: reported, and over when it is."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.postgresql.database import PostgresqlDatabase
from tests.contract.repository import rows
from tests.support.postgresql import PostgresqlServer, postgresql_server
from tests.support.small_disk import SmallDisk, small_disk
from tests.unit.app.repository.postgresql.conftest import open_database

pytestmark = pytest.mark.slow

FILLING = 64 * 1024


@pytest.fixture
def disk(
    database: PostgresqlDatabase, postgresql: PostgresqlServer, name: str
) -> Iterator[SmallDisk]:
    """A small disk that holds the table of the secrets."""
    path = postgresql.directory / f"disk_{name}"
    with small_disk(path) as disk:
        owner = postgresql.directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        postgresql.execute(f"CREATE TABLESPACE small LOCATION '{path}'")
        postgresql.execute("ALTER TABLE secrets SET TABLESPACE small", database=name)
        yield disk
        database.close()
        postgresql.execute("ALTER TABLE secrets SET TABLESPACE pg_default", database=name)
        postgresql.execute("DROP TABLESPACE small")


def add(database: PostgresqlDatabase, number: int) -> None:
    with database.writing() as work:
        work.secrets.add(rows.secret(number, envelope=os.urandom(FILLING)))
        work.commit()


def add_many(database: PostgresqlDatabase) -> None:
    """Add more than fits into the pages that are there."""
    for number in range(2, 20):
        add(database, number)


def test_a_full_disk_is_reported_and_its_end_is_noticed(
    database: PostgresqlDatabase, disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    add(database, 1)
    with disk.with_free(0), pytest.raises(StorageUnavailable) as failed:
        add_many(database)
    assert (failed.value.cause, failed.value.retry_after) == ("53100", 5)
    assert "database_exhausted" in {record.message for record in caplog.records}
    add(database, 20)


def test_a_server_without_a_free_connection_refuses_only_those_who_need_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        postgresql_server("max_connections=5", "superuser_reserved_connections=1") as server,
        closing(open_database(server.url(server.create_database()))) as database,
        ExitStack() as stack,
    ):
        database.upgrade()
        refused = None
        while refused is None:
            try:
                stack.enter_context(database.reading()).deployment.get_id()
            except StorageUnavailable as error:
                refused = error
        assert refused.retry_after == 5
        assert "database_exhausted" in {record.message for record in caplog.records}
        stack.close()
        for _ in range(9):
            with database.reading() as repository:
                assert repository.deployment.get_id() is None
