"""The port to the database: collections of rows behind a reader and a unit of work.

Rows go in and come out as domain values. Every method takes the account first; only an operator's
sweeps do not. An implementation guarantees:

- A unit of work sees and leaves all of its changes or none, and ``commit`` returns once they are
  durable.
- A reader can change nothing. Each of its calls sees what was committed before the call.
- Constraints decide who wins a race, never a check before a write.

Any method may raise ``StorageUnavailable``. No exception carries a row or a parameter.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from app.domain.operations.backups import BackupContents, OpenTokens
from app.domain.operations.findings import Findings
from app.domain.operations.measurements import ConnectionUse, DatabaseSize
from app.repository.collections.access import AccountRepository, ApiKeyRepository
from app.repository.collections.account_rows import AccountRowsRepository
from app.repository.collections.audit import AuditEventRepository
from app.repository.collections.audit_log import AuditLogRepository
from app.repository.collections.gateway_keys import GatewayKeyRepository, SwitchRepository
from app.repository.collections.gateways import (
    GatewayConfigRepository,
    GatewayTokenRepository,
    GatewayUseRepository,
)
from app.repository.collections.injections import InjectionRepository
from app.repository.collections.keys import DataKeyRepository, WrappingRepository
from app.repository.collections.operations import (
    DeploymentRepository,
    LeaseRepository,
    UsageRepository,
    WorkerRepository,
)
from app.repository.collections.secret_versions import SecretVersionRepository
from app.repository.collections.secrets import SecretRepository
from app.repository.collections.stored_responses import StoredResponseRepository


class Conflict(Exception):
    """A row with the same unique columns exists."""


class DatabaseMisconfigured(Exception):
    """The database cannot be used; the message names the setting."""


class Fenced(Exception):
    """The root key that made a wrapping is retired, so the wrapping must not be stored."""


class Repository(Protocol):
    """All collections, on one connection."""

    deployment: DeploymentRepository
    accounts: AccountRepository
    account_rows: AccountRowsRepository
    api_keys: ApiKeyRepository
    data_keys: DataKeyRepository
    wrappings: WrappingRepository
    secrets: SecretRepository
    secret_versions: SecretVersionRepository
    stored_responses: StoredResponseRepository
    injections: InjectionRepository
    gateway_configs: GatewayConfigRepository
    gateway_tokens: GatewayTokenRepository
    gateway_uses: GatewayUseRepository
    gateway_keys: GatewayKeyRepository
    switches: SwitchRepository
    usage: UsageRepository
    leases: LeaseRepository
    workers: WorkerRepository
    audit_log: AuditLogRepository
    audit_events: AuditEventRepository


class UnitOfWork(Repository, Protocol):
    """One write transaction. Leaving it without ``commit`` rolls everything back."""

    def commit(self) -> None:
        """Make all changes durable. The unit of work cannot be used afterwards."""


class Replacement(Protocol):
    """A copy of a backup that can take the place of the database.

    Attributes:
        database: The copy, to be looked at and changed before it is put in place.
    """

    database: "Database"

    def contents(self) -> BackupContents:
        """Count the rows of the copy."""

    def drop_open_tokens(self) -> OpenTokens:
        """Delete pending injections and live gateway tokens. Returns how many there were."""

    def put_in_place(self) -> Path | None:
        """Set the former database and its log aside, and put the copy in its place.

        Returns:
            The former database, ``None`` where there was none.

        Raises:
            FileRefused: A process uses the former database.
        """


class Database(Protocol):
    """The source of readers and units of work. Safe to use from many threads."""

    def reading(self) -> AbstractContextManager[Repository]:
        """Lend collections that can only be read, outside a transaction."""

    def writing(self) -> AbstractContextManager[UnitOfWork]:
        """Begin a unit of work. Others may begin theirs at once, or wait until this one ends."""

    def ping(self) -> None:
        """Ask the database something cheap."""

    def exists(self) -> bool:
        """Return True if there is a database, even an empty, damaged or unreachable one."""

    def check(self) -> Findings:
        """Examine the database, and report in words for an operator."""

    def size(self) -> DatabaseSize:
        """Measure the room that the database takes."""

    def connections(self) -> ConnectionUse:
        """Count the connections of this process."""

    def upgrade(self) -> Path | None:
        """Make the database where there is none; bring its schema to the newest migration.

        Safe when several processes do it at once.

        Returns:
            The backup that was made before a database with tables was migrated.

        Raises:
            DatabaseMisconfigured: It cannot be made, others may see it, or it is newer than this
                version.
        """

    def back_up(self, file: Path) -> BackupContents:
        """Write what is committed now to a new file, whole or not at all, while others write.

        Raises:
            FileRefused: The file exists, or cannot be made.
        """

    def replacing(self, file: Path, *, replace: bool) -> AbstractContextManager[Replacement]:
        """Make a verified copy of a backup; the end of the block drops it unless it is in place.

        Args:
            file: The backup.
            replace: Whether a database may be there already.

        Raises:
            FileRefused: The file cannot be read, or there is a database that may not be replaced,
                or that a process uses.
            BackupDamaged: The pages of the file do not fit together.
        """

    def close(self) -> None:
        """Finish pending erasures, and close all connections."""
