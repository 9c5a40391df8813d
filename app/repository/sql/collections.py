"""All collections on one connection."""

from collections.abc import Callable

from app.repository.base import Repository, UnitOfWork
from app.repository.sql.access.account_rows import SqlAccountRows
from app.repository.sql.access.accounts import SqlAccounts
from app.repository.sql.api_keys import SqlApiKeys
from app.repository.sql.audit.events import SqlAuditEvents
from app.repository.sql.audit.log import SqlAuditLog
from app.repository.sql.data_keys import SqlDataKeys
from app.repository.sql.deployment import SqlDeployment
from app.repository.sql.driver.statements import Statements
from app.repository.sql.gateways.configs import SqlGatewayConfigs
from app.repository.sql.gateways.keys import SqlGatewayKeys, SqlSwitches
from app.repository.sql.gateways.tokens import SqlGatewayTokens
from app.repository.sql.gateways.uses import SqlGatewayUses
from app.repository.sql.injections import SqlInjections
from app.repository.sql.secrets import SqlSecrets
from app.repository.sql.stored_responses import SqlStoredResponses
from app.repository.sql.usage import SqlLeases, SqlUsage
from app.repository.sql.versions.secret_versions import SqlSecretVersions
from app.repository.sql.workers import SqlWorkers
from app.repository.sql.wrappings import SqlWrappings


class SqlRepository(Repository):
    """All collections, on one connection.

    Attributes:
        statements: Runs them on the connection, and records if one failed or erased ciphertext.
    """

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.deployment = SqlDeployment(statements)
        self.accounts = SqlAccounts(statements)
        self.account_rows = SqlAccountRows(statements)
        self.api_keys = SqlApiKeys(statements)
        self.data_keys = SqlDataKeys(statements)
        self.wrappings = SqlWrappings(statements)
        self.secrets = SqlSecrets(statements)
        self.secret_versions = SqlSecretVersions(statements)
        self.stored_responses = SqlStoredResponses(statements)
        self.injections = SqlInjections(statements)
        self.gateway_configs = SqlGatewayConfigs(statements)
        self.gateway_tokens = SqlGatewayTokens(statements)
        self.gateway_uses = SqlGatewayUses(statements)
        self.gateway_keys = SqlGatewayKeys(statements)
        self.switches = SqlSwitches(statements)
        self.usage = SqlUsage(statements)
        self.leases = SqlLeases(statements)
        self.workers = SqlWorkers(statements)
        self.audit_log = SqlAuditLog(statements)
        self.audit_events = SqlAuditEvents(statements)


class SqlUnitOfWork(SqlRepository, UnitOfWork):
    """All collections, in one write transaction.

    Args:
        commit: Makes the changes durable.

    Attributes:
        has_ended: Whether it was committed, or undone.
    """

    def __init__(self, statements: Statements, commit: Callable[[], None]) -> None:
        super().__init__(statements)
        self._commit = commit
        self.has_ended = False

    def commit(self) -> None:
        self.end()
        self._commit()

    def end(self) -> None:
        """Refuse every further statement."""
        self.has_ended = True
        self.statements.end()
