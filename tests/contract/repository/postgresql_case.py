"""PostgreSQL: a database of its own for each test, on a server that the tests share."""

from functools import cached_property
from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, Text

from tests.contract.repository.case import DatabaseCase
from tests.support.postgresql import PostgresqlServer


class PostgresqlCase(DatabaseCase):
    """A new database without any table, until it is made."""

    @cached_property
    def _server(self) -> PostgresqlServer:
        server: PostgresqlServer = self.request.getfixturevalue("postgresql")
        return server

    @cached_property
    def _name(self) -> str:
        return self._new_database("template1")

    @property
    def url(self) -> str:
        return self._server.url(self._name)

    def make(self) -> None:
        template: str = self.request.getfixturevalue("migrated_database")
        self._name = self._new_database(template)

    def execute(self, sql: str, *parameters: object) -> None:
        owner = "strongroom"
        self._server.execute(sql.replace("?", "%s"), *parameters, database=self._name, user=owner)

    def loosen(self, table: str) -> None:
        self.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")
        self.execute(f"DROP TABLE {table} CASCADE")
        self.execute(f"ALTER TABLE loose RENAME TO {table}")

    def can_hold(self, column: Column[Any], value: object) -> bool:
        if value is None:
            return True
        if isinstance(column.type, Text):
            return isinstance(value, str)
        if isinstance(column.type, LargeBinary):
            return isinstance(value, bytes)
        bits = 64 if isinstance(column.type, BigInteger) else 32
        return isinstance(value, int) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)

    def _new_database(self, template: str) -> str:
        name = self._server.create_database(template)
        self.request.addfinalizer(lambda: self._server.drop_database(name))
        return name
