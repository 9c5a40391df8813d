"""All collections on one connection."""

from collections.abc import Callable, Mapping
from typing import Protocol

from sqlalchemy import Connection

from app.repository.base import Repository, UnitOfWork
from app.repository.sql.accounts import SqlAccounts
from app.repository.sql.api_keys import SqlApiKeys
from app.repository.sql.data_keys import SqlDataKeys
from app.repository.sql.deployment import SqlDeployment
from app.repository.sql.driver.statements import PreparedStatements, Statements
from app.repository.sql.injections import SqlInjections
from app.repository.sql.secrets import SqlSecrets
from app.repository.sql.stored_responses import SqlStoredResponses
from app.repository.sql.usage import SqlLeases, SqlUsage
from app.repository.sql.workers import SqlWorkers
from app.repository.sql.wrappings import SqlWrappings

_COLLECTIONS: Mapping[str, Callable[[Statements], object]] = {
    "deployment": SqlDeployment,
    "accounts": SqlAccounts,
    "api_keys": SqlApiKeys,
    "data_keys": SqlDataKeys,
    "wrappings": SqlWrappings,
    "secrets": SqlSecrets,
    "stored_responses": SqlStoredResponses,
    "injections": SqlInjections,
    "usage": SqlUsage,
    "leases": SqlLeases,
    "workers": SqlWorkers,
}


class SqlRepository(Repository):
    """All collections, on one connection.

    Attributes:
        statements: Runs them on the connection, and records if one failed or erased ciphertext.
    """

    def __init__(
        self, connection: Connection, prepared: PreparedStatements, *, locks: bool = False
    ) -> None:
        self.connection = connection
        self.statements = Statements(connection, prepared, locks=locks)

    def __getattr__(self, name: str) -> object:
        """Make a collection when it is first used: a unit of work uses few of them."""
        if name not in _COLLECTIONS:
            raise AttributeError(name)
        collection = _COLLECTIONS[name](self.statements)
        setattr(self, name, collection)
        return collection


class Ending(Protocol):
    """The end of a unit of work: one of these, once."""

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
        self.statements.end()
        self._ending.commit()

    def roll_back(self) -> None:
        """Undo all changes unless they were committed."""
        self.statements.end()
        self._ending.roll_back()
