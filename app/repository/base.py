"""The port to the database: collections of rows behind a reader and a unit of work.

Rows go in and come out as domain values. Every method takes the account first; the sweeps of an
operator are the only ones that do not. What an implementation guarantees:

- a unit of work sees and leaves all of its changes or none, and is durable when ``commit`` returns;
- a reader can change nothing, and each of its calls sees what was committed before the call;
- constraints decide who wins a race, never a check before a write.

Any method may raise ``StorageUnavailable``. No exception carries a row or a bound parameter.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.damage import DamagedRow
from app.domain.data_keys import DataKeyRow, StoredDataKey, Wrapping
from app.domain.guarded import Guardable, Guarded
from app.domain.idempotency import StoredResponse
from app.domain.injections import Injection
from app.domain.operations.backups import BackupContents
from app.domain.operations.findings import Findings
from app.domain.operations.reencryption import Reencryption
from app.domain.operations.usage import CountedTable, CountedUsage
from app.domain.operations.workers import SeenWorker, Worker
from app.domain.secrets import (
    SealedValue,
    Secret,
    SecretFilter,
    SecretIdentity,
    StoredSecret,
)


class Conflict(Exception):
    """A row with the same unique columns is there already."""


class DatabaseMisconfigured(Exception):
    """The database is not one that we can use; the message names the setting."""


class Fenced(Exception):
    """The root key that made a wrapping was retired: the wrapping must not be stored."""


R = TypeVar("R", bound=Guardable, covariant=True)  # noqa: PLC0105 - as in app.domain.guarded

Stored = Guarded[R] | DamagedRow
"""A row of a list; one that cannot be read as a row of its table does not hide the others."""

Position = tuple[Any, ...]
"""What rows are ordered by, as stored in the last row of a batch; never shown."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[R]):
    """A part of a list.

    Attributes:
        after: What the next batch begins after; ``None`` if no row follows.
    """

    rows: Sequence[Stored[R]]
    after: Position | None


class DeploymentRepository(ABC):
    """The one row that says which deployment this database belongs to."""

    @abstractmethod
    def get_id(self) -> str | None:
        """The deployment id, or ``None`` before ``strongroom init``."""

    @abstractmethod
    def add(self, deployment_id: str) -> None:
        """File the deployment id.

        Raises:
            Conflict: There is one already.
        """

    @abstractmethod
    def fence_generation(self) -> int:
        """How often fences were set or lifted; 0 before ``strongroom init``.

        In a unit of work it stays so until that ends: none sets or lifts one meanwhile.
        """

    @abstractmethod
    def get_reencryption(self) -> Guarded[Reencryption] | None:
        """The re-encryption that has not ended yet, or ``None``."""

    @abstractmethod
    def start_reencryption(self, job: Guarded[Reencryption]) -> None:
        """File a re-encryption in place of any other."""

    @abstractmethod
    def end_reencryption(self) -> None:
        """File that there is none under way."""


class AccountRepository(ABC):
    """Accounts."""

    @abstractmethod
    def get(self, account_id: str) -> Guarded[Account] | None:
        """The account, or ``None``."""

    @abstractmethod
    def add(self, account: Guarded[Account]) -> None:
        """Add a new account."""

    @abstractmethod
    def replace(self, account: Guarded[Account]) -> None:
        """Write all columns of an account that exists."""

    @abstractmethod
    def sweep(self, after: Position | None, limit: int) -> Batch[Account]:
        """At most ``limit`` accounts, oldest first: an operator's sweep."""

    @abstractmethod
    def ids(self, after_id: str | None, limit: int) -> list[str]:
        """The ids of at most ``limit`` accounts, as stored, from after ``after_id``."""


class ApiKeyRepository(ABC):
    """API keys."""

    @abstractmethod
    def get(self, account_id: str, key_id: str) -> Guarded[ApiKey] | None:
        """The API key, or ``None``."""

    @abstractmethod
    def get_with_account(
        self, account_id: str, key_id: str
    ) -> tuple[Guarded[ApiKey], Guarded[Account]] | None:
        """The API key and the account that owns it, in one round trip, or ``None``."""

    @abstractmethod
    def find(self, account_id: str, key_ids: Sequence[str]) -> list[Guarded[ApiKey]]:
        """Those of these API keys that exist, in one round trip."""

    @abstractmethod
    def page(self, account_id: str, after: Position | None, limit: int) -> Batch[ApiKey]:
        """At most ``limit`` API keys of the account, oldest first."""

    @abstractmethod
    def sweep(self, after: Position | None, limit: int) -> Batch[ApiKey]:
        """At most ``limit`` API keys of all accounts: an operator's sweep."""

    @abstractmethod
    def delete_unused(self, account_id: str, key_ids: Sequence[str]) -> int:
        """Delete those of these API keys that made no injection which is still there; how many."""

    @abstractmethod
    def add(self, key: Guarded[ApiKey]) -> None:
        """Add a new API key."""

    @abstractmethod
    def replace(self, key: Guarded[ApiKey]) -> None:
        """Write all columns of an API key that exists."""


class DataKeyRepository(ABC):
    """Data keys with their wrappings."""

    @abstractmethod
    def get(self, account_id: str, data_key_id: str) -> StoredDataKey | None:
        """The data key with all its wrappings, in one round trip, or ``None``."""

    @abstractmethod
    def find(self, account_id: str, data_key_ids: Sequence[str]) -> list[StoredDataKey]:
        """Those of these data keys that exist, with all their wrappings, in one round trip."""

    @abstractmethod
    def get_active(self, account_id: str) -> StoredDataKey | None:
        """The account's active data key with all its wrappings, in one round trip, or ``None``."""

    @abstractmethod
    def add(self, record: Guarded[DataKeyRow], wrappings: Sequence[Guarded[Wrapping]]) -> None:
        """Add a data key and its wrappings.

        Raises:
            Conflict: The account has an active data key, or one of this id.
            Fenced: There is a fence of a wrapping's key_ref or root key.
        """

    @abstractmethod
    def replace(self, record: Guarded[DataKeyRow]) -> None:
        """Write all columns of a data key that exists; its wrappings stay."""

    @abstractmethod
    def delete_unused(self, account_id: str, data_key_id: str) -> bool:
        """Delete a decrypt-only data key that no secret names. Returns whether it was deleted."""

    @abstractmethod
    def count(self) -> int:
        """How many data keys there are: an operator's sweep."""

    @abstractmethod
    def sweep(self, after: tuple[str, str] | None, limit: int) -> list[tuple[str, str]]:
        """At most ``limit`` data keys of all accounts, as account and id, in that order.

        Args:
            after: The last one before; ``None`` for the start.
            limit: The size of the batch.
        """

    @abstractmethod
    def count_secrets(self, until_ms: int) -> int:
        """How many secrets are sealed under data keys made at ``until_ms`` or before.

        An operator's sweep; rows are counted as they stand.
        """

    @abstractmethod
    def count_without(self, key_refs: Sequence[str]) -> int:
        """How many data keys have no wrapping with one of ``key_refs``: an operator's sweep."""


class WrappingRepository(ABC):
    """The wrappings of data keys that exist, and the fences of retired root keys.

    In a unit of work, what ``add``, ``fence``, ``count_stranded`` and ``remove_all`` find stays so
    until it ends: another one that comes to one of them waits. So no wrapping is added past a fence
    or past a count, and of two retirements neither relies on what the other deletes. A database
    whose transactions run side by side locks what all four lock, before any of them reads.
    """

    @abstractmethod
    def add(self, wrapping: Guarded[Wrapping]) -> None:
        """Add a wrapping.

        Raises:
            Conflict: The data key has a wrapping with this key_ref.
            Fenced: There is a fence of its key_ref or of its root key.
        """

    @abstractmethod
    def remove(self, wrapping: Wrapping) -> bool:
        """Delete the wrapping if it still holds these bytes; whether it did."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How many wrappings each key_ref has: an operator's sweep."""

    @abstractmethod
    def count_stranded(self, key_ref: str, others: Sequence[str]) -> int:
        """How many data keys with a wrapping by ``key_ref`` have none by any of ``others``."""

    @abstractmethod
    def remove_all(self, key_ref: str, limit: int) -> int:
        """Delete at most ``limit`` wrappings by ``key_ref``; how many it were."""

    @abstractmethod
    def fence(self, name: str) -> bool:
        """Let no unit of work add a wrapping by this key_ref or root key; whether one could."""

    @abstractmethod
    def lift_fence(self, name: str) -> bool:
        """Let such wrappings be added again; whether there was a fence of this name."""

    @abstractmethod
    def fences(self) -> list[str]:
        """Every fenced key_ref and root key."""


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """Secrets with their sealed values, and the data keys that these were sealed under."""

    secrets: tuple[SealedValue, ...]
    data_keys: list[StoredDataKey]


@dataclass(frozen=True, slots=True)
class LockedSecret:
    """A secret that this unit of work may write.

    Attributes:
        version: 0 where the stored one is damaged.
        identity: For whom the value is sealed.
    """

    version: int
    identity: Guarded[SecretIdentity]


class SecretRepository(ABC):
    """Secrets: metadata and sealed values."""

    @abstractmethod
    def view(self, account_id: str, name: str) -> Secret | None:
        """The metadata of the secret of this name, or ``None``; no envelope is read."""

    @abstractmethod
    def view_by_id(self, account_id: str, secret_id: str) -> Secret | None:
        """The metadata of the secret of this id, or ``None``; no envelope is read."""

    @abstractmethod
    def page(
        self, account_id: str, wanted: SecretFilter, limit: int, after_id: str | None
    ) -> list[Secret]:
        """At most ``limit`` secrets, newest first, those with an id below ``after_id`` if given."""

    @abstractmethod
    def count(self, account_id: str, wanted: SecretFilter) -> int:
        """How many secrets the filter holds."""

    @abstractmethod
    def add(self, secret: StoredSecret) -> None:
        """Add a new secret.

        Raises:
            Conflict: The account has a secret of this name.
        """

    @abstractmethod
    def find(self, account_id: str, refs: Sequence[str]) -> list[Secret]:
        """The secrets whose name or id is among ``refs``, in one round trip."""

    @abstractmethod
    def sealed(
        self, account_id: str, secret_ids: Sequence[str], most_bytes: int
    ) -> SealedSecrets | None:
        """The secrets of these ids that exist, with their data keys, in one round trip.

        Returns:
            ``None`` if their envelopes are over ``most_bytes`` in all; none of them is read then.
        """

    @abstractmethod
    def lock(self, account_id: str, secret_id: str) -> LockedSecret:
        """A secret that exists; no other unit of work writes it before this ends."""

    @abstractmethod
    def size(self, account_id: str, secret_id: str) -> int:
        """The size of the secret's envelope in bytes; 0 if there is no such secret."""

    @abstractmethod
    def replace_value(self, secret: StoredSecret) -> None:
        """Write version, data key, envelope and update time of a secret that is locked."""

    @abstractmethod
    def sealed_under(
        self, account_id: str, data_key_id: str, limit: int, after_id: str | None
    ) -> list[StoredSecret]:
        """At most ``limit`` secrets sealed under this data key, by id, from after ``after_id``."""

    @abstractmethod
    def reseal(self, secret: StoredSecret, *, sealed_under: str) -> bool:
        """Write data key and envelope if version and data key are as before; whether they were."""

    @abstractmethod
    def delete(self, account_id: str, secret_id: str) -> bool:
        """Delete the secret; whether there was one."""


class StoredResponseRepository(ABC):
    """Stored responses to idempotent requests."""

    @abstractmethod
    def get(self, account_id: str, api_key_id: str, request_id: str) -> StoredResponse | None:
        """The stored response, or ``None``; it may have expired."""

    @abstractmethod
    def claim(self, response: StoredResponse, now_ms: int) -> bool:
        """Insert the row unless there is one that has not expired at ``now_ms``.

        A claim that meets another unit of work's open claim waits for its end.

        Returns:
            Whether the row was inserted. If not, ``get`` finds the other one.
        """

    @abstractmethod
    def finish(self, response: StoredResponse) -> None:
        """Write the response of a row that this unit of work claimed."""

    @abstractmethod
    def has_expired(self, account_id: str, now_ms: int) -> bool:
        """Whether a response of the account has expired at ``now_ms``."""

    @abstractmethod
    def has_later(self, account_id: str, later_ms: int) -> bool:
        """Whether a response of the account expires after ``later_ms``."""

    @abstractmethod
    def end_later(self, account_id: str, later_ms: int, until_ms: int, limit: int) -> int:
        """Have at most ``limit`` responses that expire after ``later_ms`` expire at ``until_ms``.

        Returns:
            How many it were. Those that another unit of work holds are left out.
        """

    @abstractmethod
    def delete_expired(self, account_id: str, now_ms: int, limit: int) -> int:
        """Delete at most ``limit`` responses of the account that have expired at ``now_ms``.

        Returns:
            How many it were. Those that another unit of work holds are left out.
        """


@dataclass(frozen=True, slots=True)
class InjectionGrant:
    """All rows that one redemption is granted by.

    Attributes:
        issuers: Those of all keys above the one that made the injection.
    """

    injection: Guarded[Injection]
    api_key: Guarded[ApiKey]
    account: Guarded[Account]
    issuers: tuple[Guarded[ApiKey], ...] = ()


class InjectionRepository(ABC):
    """Injections."""

    @abstractmethod
    def get(self, account_id: str, injection_id: str) -> Guarded[Injection] | None:
        """The injection, or ``None``; in a unit of work its row is locked."""

    @abstractmethod
    def get_grant(self, account_id: str, injection_id: str) -> InjectionGrant | None:
        """The injection, the key that made it and its account, in one round trip, or ``None``.

        The issuers of the key are not read.
        """

    @abstractmethod
    def page(
        self,
        account_id: str,
        after: Position | None,
        limit: int,
        *,
        api_key_id: str | None = None,
    ) -> Batch[Injection]:
        """At most ``limit`` injections of the account, newest first.

        Args:
            after: From below this position, which may be the id of any injection, there or not.
            limit: The size of the batch.
            api_key_id: Only those that this key made.
        """

    @abstractmethod
    def count_pending(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        """How many that these keys made are pending and not expired, counted as they stand."""

    @abstractmethod
    def sweep(self, after: Position | None, limit: int) -> Batch[Injection]:
        """At most ``limit`` injections of all accounts: an operator's sweep."""

    @abstractmethod
    def has_ended(self, account_id: str, until_ms: int) -> bool:
        """Whether the life of an injection of the account was over at ``until_ms``."""

    @abstractmethod
    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        """Delete at most ``limit`` injections whose life was over at ``until_ms``, of the account.

        Returns:
            How many it were. Those that another unit of work holds are left out.
        """

    @abstractmethod
    def add(self, injection: Guarded[Injection]) -> None:
        """Add a new injection."""

    @abstractmethod
    def replace(self, injection: Guarded[Injection]) -> None:
        """Write what became of an injection that exists, and its MAC."""

    @abstractmethod
    def replace_if_granted(
        self, injection: Guarded[Injection], seen: InjectionGrant, used: Sequence[SealedValue]
    ) -> bool:
        """Write what became of an injection if what was read still stands; whether it does.

        If so, nobody changes these rows before the unit of work ends.

        Args:
            injection: What to write.
            seen: What granted it when it was read; each of these rows must have the same MAC still.
            used: Its secrets as they were read, however long ago; each must stand exactly so still.
        """


@dataclass(frozen=True, slots=True)
class Tally:
    """What a part of an account's rows of one table comes to.

    Attributes:
        rows: How many.
        bytes: The size of their large columns.
        after: What the next part begins after; ``None`` if no row follows.
    """

    rows: int
    bytes: int
    after: Position | None


class UsageRepository(ABC):
    """What accounts hold, as it was counted last."""

    @abstractmethod
    def get(self, account_id: str) -> CountedUsage | None:
        """What the account held when it was counted last, or ``None`` if it never was."""

    @abstractmethod
    def put(self, account_id: str, counted: CountedUsage) -> None:
        """File what an account holds, in place of the count before."""

    @abstractmethod
    def tally(
        self, account_id: str, table: CountedTable, after: Position | None, limit: int
    ) -> Tally:
        """Count at most ``limit`` rows of an account, from after a position."""


class LeaseRepository(ABC):
    """Work that one process at a time does."""

    @abstractmethod
    def take(self, name: str, holder: str, now_ms: int, until_ms: int) -> bool:
        """Hold the lease until ``until_ms`` unless another holder's lasts; whether it is held.

        No lease lasts longer than this one would, however a clock was set when it was taken.
        """

    @abstractmethod
    def give_up(self, name: str, holder: str) -> None:
        """Let another holder take the lease, if it is this holder's."""


class WorkerRepository(ABC):
    """The processes that serve, as they tell of themselves; times are the database's own."""

    @abstractmethod
    def beat(self, worker: Worker) -> None:
        """File what a worker tells of itself, seen now."""

    @abstractmethod
    def remove(self, worker_id: str) -> None:
        """Delete the row of a worker that ends."""

    @abstractmethod
    def remove_silent(self, longest_ms: int) -> None:
        """Delete the rows of workers that were not heard from for longer than this."""

    @abstractmethod
    def all(self) -> list[SeenWorker]:
        """Every row, by node. One that no worker can have written is passed over."""


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
