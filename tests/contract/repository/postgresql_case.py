"""PostgreSQL: a database of its own for each test, on a server that the tests share.

Tests connect as the role that serves. Those marked ``operator`` connect as the operator's, and
migrations run as the role that owns the tables, as in production.
"""

from functools import cached_property
from typing import Any

import psycopg
from sqlalchemy import BigInteger, Column, LargeBinary, Text

from app.repository.base import Database
from app.repository.connect import connect
from app.repository.postgresql.options import ServerOptions
from app.repository.postgresql.rights import OPERATOR_RIGHTS, SERVER_RIGHTS
from tests.contract.repository.case import DatabaseCase
from tests.support.postgresql import PostgresqlServer, as_psycopg
from tests.support.postgresql_roles import OPERATOR, OWNER, SERVER


class PostgresqlCase(DatabaseCase):
    """A new database without any table, until it is made."""

    @cached_property
    def _server(self) -> PostgresqlServer:
        server: PostgresqlServer = self.request.getfixturevalue("postgresql")
        return server

    @cached_property
    def _name(self) -> str:
        return self._copy("database_of_roles")

    @property
    def url(self) -> str:
        return self._url(SERVER)

    def make(self) -> None:
        self._name = self._copy("migrated_database_of_roles")

    def connect(self, *, operating: bool = False) -> Database:
        if self.request.node.get_closest_marker("operator"):
            operating = True
        options = ServerOptions(migration_url=self._url(OWNER))
        database = connect(self._url(OPERATOR if operating else SERVER), options)
        self.request.addfinalizer(database.close)
        return database

    def execute(self, sql: str, *parameters: object) -> None:
        self._connection.execute(as_psycopg(sql).encode(), parameters or None)

    @cached_property
    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """One for all statements, as to connect takes longer than they do."""
        connection = psycopg.connect(self._url(OWNER), autocommit=True, prepare_threshold=None)
        self.request.addfinalizer(connection.close)
        return connection

    def loosen(self, table: str) -> None:
        self.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")
        self.execute(f"DROP TABLE {table} CASCADE")
        self.execute(f"ALTER TABLE loose RENAME TO {table}")
        for role, rights in ((SERVER, SERVER_RIGHTS), (OPERATOR, OPERATOR_RIGHTS)):
            self.execute(f"GRANT {', '.join(rights[table])} ON {table} TO {role}")

    @classmethod
    def can_hold(cls, column: Column[Any], value: object) -> bool:
        if value is None:
            return True
        if isinstance(column.type, Text):
            return isinstance(value, str)
        if isinstance(column.type, LargeBinary):
            return isinstance(value, bytes)
        bits = 64 if isinstance(column.type, BigInteger) else 32
        return isinstance(value, int) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)

    def count_deadlocks(self) -> int:
        return self._server.log.read_text(errors="replace").count("ERROR:  deadlock detected")

    def _url(self, role: str) -> str:
        return self._server.url(self._name, user=role)

    def _copy(self, fixture: str) -> str:
        """Copy the database of a fixture for this test. Returns the name of the copy."""
        template: str = self.request.getfixturevalue(fixture)
        name = self._server.create_database(template)
        self.request.addfinalizer(lambda: self._server.drop_database(name))
        return name
