"""The port to the database: collections of rows behind a reader and a unit of work.

Rows go in and come out as domain values. Every method takes the account first; the sweeps of an
operator are the only ones that do not. What an implementation guarantees:

- a unit of work sees and leaves all of its changes or none, and is durable when ``commit`` returns;
- a reader can change nothing, and each of its calls sees what was committed before the call;
- constraints decide who wins a race, never a check before a write.

Any method may raise ``StorageUnavailable``. No exception carries a row or a bound parameter.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

from app.domain.operations.backups import BackupContents
from app.domain.operations.findings import Findings
from app.repository.collections.access import AccountRepository, ApiKeyRepository
from app.repository.collections.injections import InjectionRepository
from app.repository.collections.keys import DataKeyRepository, WrappingRepository
from app.repository.collections.operations import (
    DeploymentRepository,
    LeaseRepository,
    UsageRepository,
    WorkerRepository,
)
from app.repository.collections.secrets import SecretRepository
from app.repository.collections.stored_responses import StoredResponseRepository


class Conflict(Exception):
    """A row with the same unique columns is there already."""


class DatabaseMisconfigured(Exception):
    """The database is not one that we can use; the message names the setting."""


class Fenced(Exception):
    """The root key that made a wrapping was retired: the wrapping must not be stored."""


class Repository(ABC):
    """All collections, on one connection."""

    deployment: DeploymentRepository
    accounts: AccountRepository
    api_keys: ApiKeyRepository
    data_keys: DataKeyRepository
    wrappings: WrappingRepository
    secrets: SecretRepository
    stored_responses: StoredResponseRepository
    injections: InjectionRepository
    usage: UsageRepository
    leases: LeaseRepository
    workers: WorkerRepository


class UnitOfWork(Repository):
    """One write transaction. Leaving it without ``commit`` rolls everything back."""

    @abstractmethod
    def commit(self) -> None:
        """Make all changes durable; the unit of work cannot be used afterwards."""


class Replacement(ABC):
    """A copy of a backup that can take the place of the database.

    Attributes:
        database: The copy, to be looked at and changed before it is put in place.
    """

    database: "Database"

    @abstractmethod
    def contents(self) -> BackupContents:
        """Count what is in the copy."""

    @abstractmethod
    def drop_pending_injections(self) -> int:
        """Delete the injections that were not redeemed. Returns how many there were."""

    @abstractmethod
    def put_in_place(self) -> Path | None:
        """Set the former database aside, with its log, and put the copy in its place.

        Returns:
            The former database, ``None`` where there was none.

        Raises:
            FileRefused: A process uses the former database.
        """


class Database(ABC):
    """Where readers and units of work come from. Safe to use from many threads."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Repository]:
        """Collections that can only be read, outside a transaction."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work. It holds the writer's place from its start to its end."""

    @abstractmethod
    def ping(self) -> None:
        """Ask the database something cheap."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a database at all, be it empty, damaged or out of reach."""

    @abstractmethod
    def check(self) -> Findings:
        """Look at the database, in words for an operator."""

    @abstractmethod
    def upgrade(self) -> Path | None:
        """Make the database where there is none; bring its schema to the newest migration.

        Safe when several processes do it at once.

        Returns:
            The backup that was made before a database with tables was migrated.

        Raises:
            DatabaseMisconfigured: It cannot be made, others may see it, or it is newer than we.
        """

    @abstractmethod
    def back_up(self, file: Path) -> BackupContents:
        """Write what is committed now to a new file, whole or not at all, while others write.

        Raises:
            FileRefused: The file exists, or cannot be made.
        """

    @abstractmethod
    def replacing(self, file: Path, *, replace: bool) -> AbstractContextManager[Replacement]:
        """A verified copy of a backup. Leaving the block without putting it in place drops it.

        Args:
            file: The backup.
            replace: Whether a database may be there already.

        Raises:
            FileRefused: The file cannot be read, or there is a database that may not be replaced,
                or that a process uses.
            BackupDamaged: The pages of the file do not fit together.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish what is due, and close all connections."""
