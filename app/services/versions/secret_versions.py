"""Old versions of secrets: listed, put back, and deleted for the account that owns them."""

import json
from dataclasses import dataclass

from app.crypto.archived import open_archived
from app.crypto.values import open_value
from app.domain.access.api_keys import Caller
from app.domain.audit.actions import Action
from app.domain.errors import SecretNotFound, StorageUnavailable
from app.domain.idempotency import RetryKey
from app.domain.secret_versions import (
    LARGEST_VERSION,
    ArchivedVersion,
    Rollback,
    SecretVersion,
    SecretVersionNotFound,
    VersionIsCurrent,
)
from app.domain.secrets import SealedValue, SecretRef, SecretValue
from app.repository.base import Database
from app.repository.collections.secrets import LockedSecret
from app.services.audit.trail import versioned
from app.services.idempotency import Attempt, Idempotency, ResponseFormat
from app.services.keys.data_keys import DataKeys
from app.services.keys.system_key import SystemKey
from app.services.versions.archive import Archive

MAX_LISTED = 1000
"""The limit on versions in a list; the server keeps a tenth of this at most."""

_ROLLBACKS: ResponseFormat[Rollback] = ResponseFormat(
    json.dumps, lambda stored: Rollback(*json.loads(stored))
)
_WRITTEN = "The old version was written meanwhile."
_COUNTS: ResponseFormat[int] = ResponseFormat(str, int)


@dataclass(frozen=True, slots=True)
class _OldValue:
    """An old value, opened, and the row that it was read from."""

    row: ArchivedVersion
    value: SecretValue


@dataclass(eq=False, repr=False)
class SecretVersions:
    """The versions of secrets."""

    _database: Database
    _data_keys: DataKeys
    _system_key: SystemKey
    _idempotency: Idempotency
    _archive: Archive

    def list(self, caller: Caller, ref: SecretRef) -> list[SecretVersion]:
        """The versions of a secret as they are stored, the current one first.

        Only a rollback proves that an old one is what the server wrote.

        Raises:
            SecretNotFound: The account has no such secret.
        """
        if ref.is_possible:
            with self._database.reading() as repository:
                found = repository.secret_versions.history(caller.account_id, ref, MAX_LISTED)
            if found is not None:
                return found
        raise SecretNotFound

    def roll_back(
        self, caller: Caller, ref: SecretRef, version: int, retry: RetryKey | None
    ) -> Rollback:
        """Make the value of an old version the current one, under a new number.

        The old value is opened before the transaction, which waits for no provider.

        Raises:
            SecretNotFound: The account has no such secret.
            SecretVersionNotFound: The secret has no such version.
            VersionIsCurrent: It is the current one.
            TamperedRow: A row of it was edited.
            KeyProviderError: Its data key cannot be opened, or it is not what the server wrote.
            StorageUnavailable: The old value was sealed again meanwhile.
            AccountLimitReached: The value is larger than the current one, and the account holds as
                many bytes as it may.
        """
        old = self._open(caller, ref, version)
        with (
            self._data_keys.open_active(caller.account_id) as data_key,
            self._idempotency.attempt(caller, retry, _ROLLBACKS) as attempt,
        ):
            if attempt.response is not None:
                return attempt.response
            locked = _lock_for(attempt, caller, ref, version)
            work = attempt.work
            row = work.secret_versions.get(caller.account_id, locked.shown.id, version)
            if row is None:
                raise SecretVersionNotFound
            if old is None or row != old.row:
                raise StorageUnavailable(_WRITTEN, retry_after=1)
            done = self._archive.replace(attempt, caller, data_key, locked, old.value)
            rolled_back = Rollback(*done.secret, version=done.version, restored_version=version)
            subject = versioned(done.secret.id, done.version)
            details = {**done.details, "restored_version": version}
            return attempt.commit(rolled_back, Action.SECRET_ROLLED_BACK, subject, details=details)

    def delete(self, caller: Caller, ref: SecretRef, version: int, retry: RetryKey | None) -> int:
        """Delete one old version for good. Returns 1, the number deleted.

        Raises:
            SecretNotFound: The account has no such secret.
            SecretVersionNotFound: The secret has no such version.
            VersionIsCurrent: It is the current one.
        """
        with self._idempotency.attempt(caller, retry, _COUNTS) as attempt:
            if attempt.response is not None:
                return attempt.response
            locked = _lock_for(attempt, caller, ref, version)
            versions = attempt.work.secret_versions
            if not versions.delete(caller.account_id, locked.shown.id, version):
                raise SecretVersionNotFound
            subject = versioned(locked.shown.id, version)
            return attempt.commit(1, Action.SECRET_VERSION_DELETED, subject)

    def purge(self, caller: Caller, ref: SecretRef, retry: RetryKey | None) -> int:
        """Delete all old versions of a secret for good. Returns the number deleted.

        Raises:
            SecretNotFound: The account has no such secret.
        """
        with self._idempotency.attempt(caller, retry, _COUNTS) as attempt:
            if attempt.response is not None:
                return attempt.response
            locked = _lock(attempt, caller, ref)
            versions, below = attempt.work.secret_versions, LARGEST_VERSION + 1
            purged = versions.delete_below(caller.account_id, locked.shown.id, below)
            if not purged:
                return attempt.commit_unchanged(purged)
            subject, details = locked.shown.id, {"versions": purged}
            return attempt.commit(purged, Action.SECRET_PURGED, subject, details=details)

    def _open(self, caller: Caller, ref: SecretRef, version: int) -> _OldValue | None:
        """Open an old value; ``None`` if there is no such version."""
        if not ref.is_possible:
            return None
        with self._database.reading() as repository:
            found = repository.secret_versions.find(caller.account_id, ref, version)
            if found is None:
                return None
            row = found.archived
            stored = repository.data_keys.get(caller.account_id, row.data_key_id)
        if stored is None:  # a re-encryption ended between the two reads
            raise StorageUnavailable(_WRITTEN, retry_after=1)
        system_key = self._system_key.opened()
        identity = system_key.verify(found.identity)
        envelope = open_archived(system_key, row)
        sealed = SealedValue(identity.id, identity.name, row.data_key_id, envelope, version)
        with self._data_keys.open(stored, caller.account_id) as data_key:
            return _OldValue(row, open_value(data_key, sealed))


def _lock(
    attempt: Attempt[int] | Attempt[Rollback], caller: Caller, ref: SecretRef
) -> LockedSecret:
    locked = attempt.work.secrets.lock(caller.account_id, ref) if ref.is_possible else None
    if locked is None:
        raise SecretNotFound
    return locked


def _lock_for(
    attempt: Attempt[int] | Attempt[Rollback], caller: Caller, ref: SecretRef, version: int
) -> LockedSecret:
    """Lock a secret of which this is an old version."""
    locked = _lock(attempt, caller, ref)
    if locked.version == version:
        raise VersionIsCurrent
    return locked
