"""The operator's choices about a database server."""

from contextlib import ExitStack, closing

import pytest

from app.domain.errors import StorageUnavailable
from app.repository.connect import connect
from app.repository.postgresql.options import ServerOptions
from tests.support.postgresql import PostgresqlServer


def test_a_process_has_as_many_connections_as_it_may_and_no_more(
    postgresql: PostgresqlServer, migrated_database: str
) -> None:
    url = postgresql.url(migrated_database)
    with closing(connect(url, ServerOptions(connections=2))) as database, ExitStack() as used:
        for _ in range(2):
            repository = used.enter_context(database.reading())
            assert repository.deployment.get_id() is None
        with pytest.raises(StorageUnavailable):
            used.enter_context(database.reading())
