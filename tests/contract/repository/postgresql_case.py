"""PostgreSQL: a database of its own for each test, on a server that the tests share."""

from tests.contract.repository.case import DatabaseCase
from tests.support.postgresql import PostgresqlServer


class PostgresqlCase(DatabaseCase):
    """A new database, without any table."""

    def __init__(self, request):
        super().__init__(request)
        self._server: PostgresqlServer = request.getfixturevalue("postgresql")
        self._name = self._server.create_database()
        request.addfinalizer(lambda: self._server.drop_database(self._name))

    @property
    def url(self) -> str:
        return self._server.url(self._name)

    def execute(self, sql: str, *parameters: object) -> None:
        text = "SET session_replication_role = replica"
        self._server.execute(sql.replace("?", "%s"), *parameters, database=self._name)

    def loosen(self, table: str) -> None:
        for sql in (
            f"CREATE TABLE loose AS SELECT * FROM {table}",
            f"DROP TABLE {table} CASCADE",
            f"ALTER TABLE loose RENAME TO {table}",
        ):
            self.execute(sql)
