"""The collection of secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.domain.data_keys import GuardedDataKey
from app.domain.guarded import Guarded
from app.domain.secrets import (
    SealedValue,
    Secret,
    SecretFilter,
    SecretIdentity,
    SecretRef,
    StoredSecret,
)
from app.repository.collections.batches import Batch, Position


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """Secrets with their sealed values, and the data keys that these were sealed under."""

    secrets: tuple[SealedValue, ...]
    data_keys: list[GuardedDataKey]


@dataclass(frozen=True, slots=True)
class LockedSecret:
    """A secret that this unit of work may write.

    Attributes:
        shown: Its metadata.
        version: 0 where the stored one is damaged.
        identity: The columns that a new value is bound to.
        sealed: The current value; ``None`` where a column of it is damaged.
        size: Of the envelope, in bytes.
        oldest: The number of its first old version; 0 without any. It may lag behind others who
            write at once.
        newest: The same of the last one.
    """

    shown: Secret
    version: int
    identity: Guarded[SecretIdentity]
    sealed: SealedValue | None
    size: int
    oldest: int
    newest: int


class SecretRepository(Protocol):
    """Secrets: metadata and sealed values."""

    def view(self, account_id: str, ref: SecretRef) -> Secret | None:
        """Return the metadata of a secret, or ``None``; no envelope is read."""

    def page(
        self, account_id: str, wanted: SecretFilter, limit: int, after_id: str | None
    ) -> list[Secret]:
        """Read up to ``limit`` secrets, newest first, with ids below ``after_id`` if given."""

    def page_and_count(
        self, account_id: str, wanted: SecretFilter, limit: int, after_id: str | None
    ) -> tuple[list[Secret], int]:
        """Do what ``page`` and ``count`` do, in one round trip unless the page is empty."""

    def count(self, account_id: str, wanted: SecretFilter) -> int:
        """Count the secrets that the filter matches."""

    def add(self, secret: StoredSecret) -> None:
        """Add a new secret.

        Raises:
            Conflict: The account has a secret of this name.
        """

    def find(self, account_id: str, refs: Sequence[str]) -> list[Secret]:
        """Return the secrets whose name or id is among ``refs``, in one round trip."""

    def sealed(
        self, account_id: str, secret_ids: Sequence[str], max_bytes: int
    ) -> SealedSecrets | None:
        """Read the secrets of these ids that exist, with their data keys, in one round trip.

        Returns:
            ``None`` if their envelopes are over ``max_bytes`` in all; none of them is read then.
        """

    def lock(self, account_id: str, ref: SecretRef) -> LockedSecret | None:
        """Lock a secret, if there is one: no other unit of work writes it before this one ends."""

    def replace_value(self, secret: StoredSecret) -> None:
        """Write version, data key, envelope and update time of a secret that is locked."""

    def sealed_under(
        self, account_id: str, data_key_id: str, limit: int, after_id: str | None
    ) -> list[StoredSecret]:
        """Read up to ``limit`` secrets sealed under this data key, by id, above ``after_id``."""

    def sweep_identities(self, after: Position | None, limit: int) -> Batch[SecretIdentity]:
        """Read what the MACs of up to ``limit`` secrets of all accounts cover; no envelope."""

    def reseal(self, secret: StoredSecret, *, sealed_under: str) -> bool:
        """Write data key and envelope if version and data key are unchanged. Returns if so."""

    def delete(self, account_id: str, ref: SecretRef) -> Secret | None:
        """Delete a secret with its old versions. Returns its metadata, ``None`` without one."""
