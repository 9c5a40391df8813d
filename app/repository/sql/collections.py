"""All collections on one connection."""

from typing import Protocol

from sqlalchemy import Connection

from app.repository.base import Repository, UnitOfWork
from app.repository.sql.accounts import SqlAccounts
from app.repository.sql.api_keys import SqlApiKeys
from app.repository.sql.data_keys import SqlDataKeys
from app.repository.sql.deployment import SqlDeployment
from app.repository.sql.driver.prepared import PreparedStatements
from app.repository.sql.driver.statements import Statements
from app.repository.sql.injections import SqlInjections
from app.repository.sql.secrets import SqlSecrets
from app.repository.sql.stored_responses import SqlStoredResponses
from app.repository.sql.usage import SqlLeases, SqlUsage
from app.repository.sql.workers import SqlWorkers
from app.repository.sql.wrappings import SqlWrappings


class SqlRepository(Repository):
    """All collections, on one connection."""

    def __init__(
        self, connection: Connection, prepared: PreparedStatements, *, locks: bool = False
    ) -> None:
        self.connection = connection
        self._statements = Statements(connection, prepared, locks=locks)
        self.deployment = SqlDeployment(self._statements)
        self.accounts = SqlAccounts(self._statements)
        self.api_keys = SqlApiKeys(self._statements)
        self.wrappings = SqlWrappings(self._statements)
        self.data_keys = SqlDataKeys(self._statements, self.wrappings)
        self.secrets = SqlSecrets(self._statements)
        self.answers = SqlStoredResponses(self._statements)
        self.injections = SqlInjections(self._statements)
        self.usage = SqlUsage(self._statements)
        self.leases = SqlLeases(self._statements)
        self.workers = SqlWorkers(self._statements)

    @property
    def has_failed(self) -> bool:
        """Whether the connection has failed, so that it should not be used again."""
        return self._statements.has_failed

    @property
    def has_erased(self) -> bool:
        """Whether ciphertext was deleted or replaced."""
        return self._statements.has_erased


class Ending(Protocol):
    """How a unit of work ends, once."""

    def commit(self) -> None:
        """Make its changes durable."""

    def roll_back(self) -> None:
        """Undo its changes unless they were committed."""


class SqlUnitOfWork(SqlRepository, UnitOfWork):
    """All collections, in one write transaction."""

    def __init__(
        self, connection: Connection, prepared: PreparedStatements, ending: Ending
    ) -> None:
        super().__init__(connection, prepared, locks=True)
        self._ending = ending

    def commit(self) -> None:
        """Make all changes durable."""
        self._statements.end()
        self._ending.commit()

    def roll_back(self) -> None:
        """Undo all changes unless they were committed."""
        self._statements.end()
        self._ending.roll_back()
