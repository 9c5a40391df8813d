"""The two kinds of rows that hold values: secrets, and their old versions.

Each is read in batches by the data key that sealed it, and sealed again under another one. Its
version stays.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from app.crypto.archived import archive, open_archived
from app.crypto.opened_key import OpenedKey
from app.crypto.system_key import OpenedSystemKey
from app.crypto.values import open_value, seal_value
from app.domain.damage import DamagedRow
from app.domain.data_keys import DataKeyRow
from app.domain.guarded import Mac
from app.domain.secret_versions import ArchivedVersion
from app.domain.secrets import SealedValue, Secret, StoredSecret
from app.repository.base import Repository, UnitOfWork
from app.repository.collections.secret_versions import NamedVersion
from app.services.audit.trail import versioned

R = TypeVar("R")

_UNKNOWN = Mac("", b"")  # of a row that is not written


class SealedRows(ABC, Generic[R]):
    """Rows of one kind."""

    @abstractmethod
    def read(
        self, repository: Repository, key: DataKeyRow, limit: int, after: R | None
    ) -> Sequence[R]:
        """Read up to ``limit`` rows that a data key sealed, after one."""

    @abstractmethod
    def reseal(self, old: OpenedKey, active: OpenedKey, row: R) -> R:
        """Return the same value and version under the active data key.

        Raises:
            DecryptionError: The row is not what was written.
        """

    @abstractmethod
    def write(self, work: UnitOfWork, before: R, resealed: R) -> None:
        """Write a row in the place of the one that was read, if that is unchanged."""

    @abstractmethod
    def subject(self, row: R) -> str:
        """Return the version of a secret, as the audit trail names it."""

    @abstractmethod
    def name(self, row: R) -> DamagedRow:
        """Name a row that does not open."""


class CurrentValues(SealedRows[StoredSecret]):
    """Secrets with their current values."""

    def read(
        self, repository: Repository, key: DataKeyRow, limit: int, after: StoredSecret | None
    ) -> Sequence[StoredSecret]:
        """Read secrets, by id."""
        after_id = None if after is None else after.id
        return repository.secrets.sealed_under(key.account_id, key.id, limit, after_id)

    def reseal(self, old: OpenedKey, active: OpenedKey, row: StoredSecret) -> StoredSecret:
        """Seal the value again."""
        value = open_value(old, row)
        return seal_value(active, row.view(), row.version, value, Mac(row.mac_key_id, row.mac))

    def write(self, work: UnitOfWork, before: StoredSecret, resealed: StoredSecret) -> None:
        """Write data key and envelope."""
        work.secrets.reseal(resealed, sealed_under=before.data_key_id)

    def subject(self, row: StoredSecret) -> str:
        """Return the current version."""
        return versioned(row.id, row.version)

    def name(self, row: StoredSecret) -> DamagedRow:
        """Name the secret."""
        return DamagedRow.at("secrets", row.account_id, row.id)


class OldVersions(SealedRows[NamedVersion]):
    """Old versions, whose envelopes are archived under the system data key."""

    def __init__(self, system_key: OpenedSystemKey) -> None:
        self._system_key = system_key

    def read(
        self, repository: Repository, key: DataKeyRow, limit: int, after: NamedVersion | None
    ) -> Sequence[NamedVersion]:
        """Read versions, by secret and number."""
        position = None if after is None else (after.archived.secret_id, after.archived.version)
        return repository.secret_versions.sealed_under(key.account_id, key.id, limit, position)

    def reseal(self, old: OpenedKey, active: OpenedKey, row: NamedVersion) -> NamedVersion:
        """Open both layers, and seal both again."""
        name, found = row
        envelope = open_archived(self._system_key, found)
        sealed = SealedValue(found.secret_id, name, found.data_key_id, envelope, found.version)
        value = open_value(old, sealed)
        secret = Secret(found.secret_id, name, found.created_at_ms, found.created_at_ms)
        stored = seal_value(active, secret, found.version, value, _UNKNOWN)
        under_active = replace(found, data_key_id=stored.data_key_id, archived=b"")
        return NamedVersion(name, archive(self._system_key, under_active, stored.envelope))

    def write(self, work: UnitOfWork, before: NamedVersion, resealed: NamedVersion) -> None:
        """Write data key and archived envelope."""
        work.secret_versions.reseal(resealed.archived, before=before.archived)

    def subject(self, row: NamedVersion) -> str:
        """Return the old version."""
        return versioned(row.archived.secret_id, row.archived.version)

    def name(self, row: NamedVersion) -> DamagedRow:
        """Name the secret and the version."""
        place = f"{row.archived.secret_id}-{row.archived.version}"
        return DamagedRow.at(ArchivedVersion.table, row.archived.account_id, place)
