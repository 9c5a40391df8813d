"""New wrappings of data keys on their way into the database, a batch in one unit of work."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.data_keys import DataKeyRow, VerifiedDataKey, Wrapping
from app.domain.errors import StorageUnavailable
from app.repository.base import Database, UnitOfWork
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.keys.failure_reasons import FailureReason, failure_reason_of
from app.services.keys.wrappings import refusing_retired_keys
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring
from backends.provider import WrappedKey


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """A data key with a new wrapping.

    Attributes:
        key: As it was read, without the new wrapping.
        replaced: The wrappings that the new one makes needless.
    """

    key: VerifiedDataKey
    wrapping: Wrapping
    replaced: tuple[Wrapping, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record of a batch of new wrappings.

    Attributes:
        action: What it is that makes them.
    """

    _trail: AuditTrail
    _opened: OpenedSystemKey
    action: Action

    def commit(self, work: UnitOfWork, stored: Sequence[Rewrapped]) -> None:
        """Record which data keys got wrappings by which root key, in place of which; commit."""
        if not stored:
            self._trail.commit_unrecorded(work, Unrecorded.NOTHING_CHANGED)
            return
        data_key_ids = dict.fromkeys(each.key.record.id for each in stored)
        details = {
            "to": Counter(each.wrapping.wrapped.key_ref for each in stored),
            "replaced": Counter(old.wrapped.key_ref for each in stored for old in each.replaced),
        }
        self._trail.commit(work, self._opened, self.action, *data_key_ids, details=details)


class NewWrappings:
    """Collects the new wrappings of a batch, and the reasons why data keys got none.

    Args:
        current: The key_refs that new wrappings get from any provider. Wrappings by these stay.
        recorded: The record of a batch.

    Attributes:
        failed: Why data keys lack a wrapping still, by their ids.
    """

    def __init__(self, keyring: Keyring, current: Collection[str], recorded: Recorded) -> None:
        self._keyring = keyring
        self._current = current
        self._recorded = recorded
        self._made: list[Rewrapped] = []
        self._roots: dict[str, str] = {}
        self.failed: dict[str, FailureReason] = {}

    def take(
        self,
        keys: Sequence[VerifiedDataKey],
        results: Sequence[WrappedKey | KeyProviderError],
        *,
        replacing_same: bool = False,
    ) -> None:
        """Take what a provider made of some data keys.

        Args:
            results: In the order of the keys.
            replacing_same: Replace a wrapping by the same key_ref too: it opens no more.
        """
        for key, result in zip(keys, results, strict=True):
            if isinstance(result, WrappedKey):
                self._made.append(self._rewrapped(key, result, replacing_same))
            else:
                self.failed.setdefault(key.record.id, failure_reason_of(result))

    def store(self, database: Database, store: Callable[[UnitOfWork, Rewrapped], bool]) -> None:
        """Store all new wrappings or none; without them, the data keys count as failed.

        Data keys that changed or went meanwhile are passed over.

        Args:
            store: Stores that of one data key. Returns False if another node did before.

        Raises:
            KeyProviderConfigError: The root key of one was retired.
        """
        if not self._made:
            return
        try:
            with refusing_retired_keys(), database.writing() as work:
                stored = [
                    each
                    for each in self._made
                    if _is_unchanged(work, each.key.record) and store(work, each)
                ]
                self._recorded.commit(work, stored)
        except StorageUnavailable as error:
            reason = failure_reason_of(error)
            self.failed |= {each.key.record.id: reason for each in self._made}

    def _rewrapped(self, key: VerifiedDataKey, new: WrappedKey, replacing_same: bool) -> Rewrapped:  # noqa: FBT001
        """Pair a new wrapping with those by other versions of its root key."""
        ids = key.record.account_id, key.record.id
        root = self._root_of(new.key_ref)
        replaced = [
            Wrapping(*ids, each)
            for each in key.wrappings
            if (replacing_same and each.key_ref == new.key_ref)
            or (each.key_ref not in self._current and self._root_of(each.key_ref) == root)
        ]
        return Rewrapped(key, Wrapping(*ids, new, root), tuple(replaced))

    def _root_of(self, key_ref: str) -> str:
        if key_ref not in self._roots:
            self._roots[key_ref] = self._keyring.root_of(key_ref)
        return self._roots[key_ref]


def _is_unchanged(work: UnitOfWork, record: DataKeyRow) -> bool:
    stored = work.data_keys.get(record.account_id, record.id)
    return stored is not None and stored.record.unverified.check == record.check
