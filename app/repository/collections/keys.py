"""The collections of data keys, their wrappings, and the fences of root keys."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.data_keys import DataKeyRow, GuardedDataKey, Wrapping
from app.domain.guarded import Guarded
from app.domain.operations.measurements import DataKeyCounts


class DataKeyRepository(Protocol):
    """Data keys with their wrappings."""

    def get(self, account_id: str, data_key_id: str) -> GuardedDataKey | None:
        """Return the data key with all its wrappings, in one round trip, or ``None``."""

    def find(self, account_id: str, data_key_ids: Sequence[str]) -> list[GuardedDataKey]:
        """Return those of these data keys that exist, with their wrappings, in one round trip."""

    def get_active(self, account_id: str) -> GuardedDataKey | None:
        """Return the account's active data key with its wrappings, or ``None``: one round trip."""

    def add(self, record: Guarded[DataKeyRow], wrappings: Sequence[Guarded[Wrapping]]) -> None:
        """Add a data key and its wrappings.

        Raises:
            Conflict: The account has an active data key, or one of this id.
            Fenced: There is a fence of a wrapping's key_ref or root key.
        """

    def replace(self, record: Guarded[DataKeyRow]) -> None:
        """Write all columns of a data key that exists; its wrappings stay."""

    def delete_unused(self, account_id: str, data_key_id: str) -> bool:
        """Delete a decrypt-only data key that no value names. Returns whether it was deleted."""

    def count(self) -> int:
        """Count the data keys: an operator's sweep."""

    def counts(self) -> DataKeyCounts:
        """Count the data keys of each state: an operator's sweep; no row is verified."""

    def sweep(self, after: tuple[str, str] | None, limit: int) -> list[tuple[str, str]]:
        """Read account and id of up to ``limit`` data keys of all accounts, in that order.

        Args:
            after: The last one before; ``None`` for the start.
            limit: The size of the batch.
        """

    def count_secrets(self, until_ms: int) -> int:
        """Count the secrets sealed under data keys that were made at ``until_ms`` or before.

        An operator's sweep; no row is verified.
        """

    def count_without(self, key_refs: Sequence[str]) -> int:
        """Count the data keys without a wrapping by any of ``key_refs``: an operator's sweep."""

    def count_incomplete(self, key_refs: Sequence[str]) -> int:
        """Count the data keys that lack a wrapping by one of ``key_refs``: an operator's sweep."""


class WrappingRepository(Protocol):
    """The wrappings of data keys that exist, and the fences of retired root keys.

    Units of work that call ``add``, ``fence``, ``count_stranded`` or ``remove_all`` run one after
    the other: the second waits at its first such call until the first has ended. So no wrapping is
    added past a fence or past a count, and of two retirements neither relies on wrappings that the
    other deletes. A database with parallel transactions takes one lock for all four methods, before
    any of them reads.
    """

    def add(self, wrapping: Guarded[Wrapping]) -> None:
        """Add a wrapping.

        Raises:
            Conflict: The data key has a wrapping with this key_ref.
            Fenced: There is a fence of its key_ref or of its root key.
        """

    def remove(self, wrapping: Wrapping) -> bool:
        """Delete the wrapping if its blob is unchanged. Returns whether it was."""

    def counts(self) -> dict[str, int]:
        """Count the wrappings by each key_ref: an operator's sweep."""

    def count_stranded(self, key_ref: str, others: Sequence[str]) -> int:
        """Count the data keys with a wrapping by ``key_ref`` and none by any of ``others``."""

    def remove_all(self, key_ref: str, limit: int) -> int:
        """Delete up to ``limit`` wrappings by ``key_ref``. Returns the number deleted."""

    def fence(self, name: str) -> bool:
        """Refuse further wrappings by this key_ref or root key. Returns False if they were."""

    def lift_fence(self, name: str) -> bool:
        """Accept such wrappings again. Returns whether there was a fence of this name."""

    def fences(self) -> list[str]:
        """Return every fenced key_ref and root key."""
