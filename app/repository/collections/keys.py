"""The collections of data keys, their wrappings, and the fences of root keys."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from app.domain.data_keys import DataKeyRow, StoredDataKey, Wrapping
from app.domain.guarded import Guarded


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
