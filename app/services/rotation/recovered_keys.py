"""The part of a recovery that writes: data keys get wrappings by the present keyring."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action
from app.domain.data_keys import DataKeyRow, DataKeyState, VerifiedDataKey
from app.repository.base import Conflict, Database, UnitOfWork
from app.services.audit.trail import AuditTrail
from app.services.keys.failure_reasons import FailureReason, failure_reason_of
from app.services.rotation.new_wrappings import NewWrappings, Recorded, Rewrapped
from backends.data_key import DataKey, verify_key
from backends.errors import DecryptionError, KeyProviderError, UnknownKey
from backends.keyring.keyring import Keyring
from backends.keyring.opening import ClosedKey
from backends.keyring.proof import proved
from backends.keyring.rewrapping import wrap_opened
from backends.provider import WrappedKey
from backends.recovery.keys import RecoveryPrivateKey


@dataclass(eq=False, repr=False)
class Restoring:
    """Opens data keys with a recovery key, and wraps them for the listed providers.

    Args:
        opened: The system data key, by which every row was verified.
        private: The recovery key.

    Raises:
        KeyUnavailable: The first provider or an escrow key cannot tell its current key_ref.
    """

    _database: Database
    _keyring: Keyring
    _opened: OpenedSystemKey
    _private: RecoveryPrivateKey
    _trail: AuditTrail

    def __post_init__(self) -> None:
        self._targets = {ref: each.provider for ref, each in self._keyring.wrapping().items()}

    def restore(
        self, keys: Sequence[VerifiedDataKey], *, dry_run: bool
    ) -> tuple[int, Counter[FailureReason]]:
        """Give data keys what they lack; those that have all of it stay as they are.

        Args:
            keys: A batch of them.
            dry_run: Only find out what they lack, and whether they open.

        Returns:
            The number that were changed, and the number that could not be, by reason.
        """
        lacking = {ref: self._lacking(ref, keys) for ref in self._targets}
        wanted = {key.record.id: key for each in lacking.values() for key in each}
        if dry_run:
            failed = self._refusals(wanted.values())
            return len(wanted) - len(failed), Counter(failed.values())
        new = self._wrap(lacking, wanted.values())
        new.store(self._database, self._store)
        return len(wanted) - len(new.failed), Counter(new.failed.values())

    def _lacking(self, ref: str, keys: Sequence[VerifiedDataKey]) -> list[VerifiedDataKey]:
        """Those without a wrapping by ``ref`` that opens.

        A root key that was made again in the place of a lost one has its key_ref.
        """
        having = [
            (key, wrapped) for key in keys for wrapped in key.wrappings if wrapped.key_ref == ref
        ]
        keys_having = [key for key, _ in having]
        answers = proved(self._targets[ref], keys_having, [wrapped for _, wrapped in having])
        opening = {
            key.record.id
            for (key, _), answer in zip(having, answers, strict=True)
            if isinstance(answer, WrappedKey)
        }
        return [key for key in keys if key.record.id not in opening]

    def _wrap(
        self, lacking: Mapping[str, list[VerifiedDataKey]], wanted: Iterable[VerifiedDataKey]
    ) -> NewWrappings:
        """Make the new wrappings."""
        recorded = Recorded(self._trail, self._opened, Action.KEYRING_RECOVERED)
        new = NewWrappings(self._keyring, self._targets, recorded)
        opened, new.failed = self._open_all(wanted)
        try:
            for ref, each in lacking.items():
                keys = [key for key in each if key.record.id in opened]
                items = [(opened[key.record.id], key) for key in keys]
                new.take(keys, wrap_opened(self._targets[ref], items), replacing_same=True)
        finally:
            for data_key in opened.values():
                data_key.wipe()
        return new

    def _refusals(self, keys: Iterable[VerifiedDataKey]) -> dict[str, FailureReason]:
        """Open data keys. Returns the reasons why some do not open."""
        opened, failed = self._open_all(keys)
        for data_key in opened.values():
            data_key.wipe()
        return failed

    def _open_all(
        self, keys: Iterable[VerifiedDataKey]
    ) -> tuple[dict[str, DataKey], dict[str, FailureReason]]:
        opened: dict[str, DataKey] = {}
        failed: dict[str, FailureReason] = {}
        for key in keys:
            try:
                opened[key.record.id] = unwrap_recovered(self._private, key)
            except KeyProviderError as error:
                failed[key.record.id] = failure_reason_of(error)
        return opened, failed

    def _store(self, work: UnitOfWork, new: Rewrapped) -> bool:
        """Put the wrapping in the place of what was found there."""
        for each in new.replaced:
            work.wrappings.remove(each)
        work.data_keys.replace(self._opened.guard(_sealing_no_more(new.key.record)))
        with suppress(Conflict):
            work.wrappings.add(self._opened.guard(new.wrapping))
        return True


def unwrap_recovered(private: RecoveryPrivateKey, closed: ClosedKey) -> DataKey:
    """Open a data key with the recovery key, and verify it.

    Raises:
        DecryptionError: What the recovery key wrapped does not open to it.
        UnknownKey: No wrapping is by the recovery key.
    """
    failure: KeyProviderError = UnknownKey("No wrapping is by this recovery key.")
    for wrapped in closed.wrappings:
        try:
            key = private.unwrap(wrapped, closed.context)
            verify_key(key, closed.context, closed.check)
        except UnknownKey:
            continue
        except DecryptionError as error:
            failure = error
        else:
            return key
    raise failure


def _sealing_no_more(record: DataKeyRow) -> DataKeyRow:
    if record.account_id == SYSTEM_ACCOUNT_ID:
        return record
    return replace(record, state=DataKeyState.DECRYPT_ONLY)
