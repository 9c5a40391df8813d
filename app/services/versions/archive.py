"""Replaces the value of a secret, and archives the value that was current.

An update must succeed whatever the old row holds. So an old value is dropped, with a line in the
log, where its row is damaged or the account has no room for it.
"""

import logging
from typing import Any, NamedTuple

from app.crypto.archived import archive
from app.crypto.opened_key import OpenedKey
from app.crypto.system_key import OpenedSystemKey
from app.crypto.values import seal_value
from app.domain.access.api_keys import Caller
from app.domain.guarded import tampered
from app.domain.operations.usage import ROW_BYTES, Usage
from app.domain.secret_versions import ArchivedVersion
from app.domain.secrets import Secret, SecretIdentity, SecretValue
from app.repository.collections.secrets import LockedSecret
from app.services.audit.trail import NO_DETAILS, Details
from app.services.idempotency import Attempt
from app.services.rows.limits import Limits, total

_LOG = logging.getLogger("strongroom.versions")


class Replaced(NamedTuple):
    """A secret whose value was replaced.

    Attributes:
        version: The number of its new version.
        details: For the record of it: why the old value was dropped, if it was.
    """

    secret: Secret
    version: int
    details: Details


class Archive:
    """Old values of secrets.

    Args:
        limits: Of the accounts.
        count: The number of old versions to keep of each secret; 0 keeps none.
    """

    def __init__(self, limits: Limits, count: int) -> None:
        self._limits = limits
        self._count = count

    def replace(
        self,
        attempt: Attempt[Any],
        caller: Caller,
        data_key: OpenedKey,
        locked: LockedSecret,
        value: SecretValue,
    ) -> Replaced:
        """Write a value as the next version of a locked secret, and archive the one before.

        Raises:
            TamperedRow: The id or the name in its row was edited.
            AccountLimitReached: The value is larger than the one before, and the account holds as
                many bytes as it may.
        """
        _require_identity(attempt.system_key, locked, caller)
        work, account_id, now_ms = attempt.work, caller.account_id, attempt.now_ms
        found = locked.shown
        secret = found._replace(update_time_ms=max(now_ms, found.update_time_ms))
        version = max(locked.version, locked.newest) + 1
        stored = seal_value(data_key, secret, version, value, locked.identity.mac)
        adding = Usage(bytes=len(stored.envelope) - locked.size)
        self._limits.require_room(work, account_id, adding, now_ms)
        details = NO_DETAILS
        if self._count:
            adding, details = self._add_old(attempt, caller, locked, adding)
        if 0 < locked.oldest < version - self._count:
            work.secret_versions.delete_below(account_id, found.id, version - self._count)
        work.secrets.replace_value(stored)
        self._limits.note(account_id, adding, now_ms)
        return Replaced(secret, version, details)

    def _add_old(
        self, attempt: Attempt[Any], caller: Caller, locked: LockedSecret, adding: Usage
    ) -> tuple[Usage, Details]:
        """Archive the current value, or drop it.

        Returns:
            The usage that is added in all, and why the value was dropped.
        """
        old = _archived(attempt, caller, locked)
        if old is None:
            return adding, _dropped(caller, locked, "row_damaged")
        with_old = total(adding, Usage(bytes=len(old.archived) + ROW_BYTES))
        if not self._limits.has_room(attempt.work, caller.account_id, with_old, attempt.now_ms):
            return adding, _dropped(caller, locked, "account_limit_reached")
        if not attempt.work.secret_versions.add(old):
            return adding, _dropped(caller, locked, "row_damaged")
        return with_old, NO_DETAILS


def _require_identity(system_key: OpenedSystemKey, locked: LockedSecret, caller: Caller) -> None:
    """Refuse a row whose id or name was edited: its next value would be another's.

    Raises:
        TamperedRow: Names the row.
    """
    identity = system_key.verify(locked.identity)
    if identity != SecretIdentity(caller.account_id, locked.shown.id, locked.shown.name):
        raise tampered(identity)


def _archived(
    attempt: Attempt[Any], caller: Caller, locked: LockedSecret
) -> ArchivedVersion | None:
    """Return the row of the current value as an old one, or ``None`` if it is damaged."""
    sealed, created_ms = locked.sealed, locked.shown.update_time_ms
    if sealed is None or created_ms < 0:
        return None
    row = ArchivedVersion(
        account_id=caller.account_id,
        secret_id=sealed.id,
        version=sealed.version,
        data_key_id=sealed.data_key_id,
        created_at_ms=created_ms,
        replaced_at_ms=attempt.now_ms,
        replaced_by=caller.api_key_id,
        archived=b"",
    )
    try:
        return archive(attempt.system_key, row, sealed.envelope)
    except ValueError:  # the envelope is larger than any, or the id no text of ours
        return None


def _dropped(caller: Caller, locked: LockedSecret, why: str) -> Details:
    extra = {
        "account_id": caller.account_id,
        "secret_ids": [locked.shown.id],
        "detail": why,
    }
    _LOG.warning("version_dropped", extra=extra)
    return {"old_value_dropped": why}
