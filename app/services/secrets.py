"""Secrets: kept, listed, replaced and deleted for the account that owns them.

Listing, getting and deleting never open a value, so a damaged row can always be seen, replaced and
deleted.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from app.crypto.opened_key import OpenedKey
from app.crypto.values import seal_value
from app.domain.access.api_keys import Caller
from app.domain.errors import SecretNameExists, SecretNotFound
from app.domain.guarded import tampered
from app.domain.idempotency import RetryKey
from app.domain.ids import SECRET, is_id, new_id
from app.domain.operations.usage import ROW_BYTES, Usage
from app.domain.secrets import (
    Secret,
    SecretFilter,
    SecretIdentity,
    SecretPage,
    SecretRules,
    SecretValue,
    could_be_name,
)
from app.repository.base import Conflict, Database, Repository, UnitOfWork
from app.repository.collections.secrets import LockedSecret
from app.services.clock import Clock
from app.services.idempotency import Idempotency, ResponseFormat
from app.services.keys.data_keys import DataKeys
from app.services.keys.system_key import SystemKey
from app.services.rows.limits import Limits

_ANSWERS: ResponseFormat[Secret] = ResponseFormat(
    dump=lambda secret: json.dumps(secret).encode(),
    load=lambda stored: Secret(*json.loads(stored)),
)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by its name or by its id, as a client gave it."""

    text: str
    is_id: bool

    @classmethod
    def by_name(cls, name: str) -> "SecretRef":
        """The secret of this name."""
        return cls(name, is_id=False)

    @classmethod
    def by_id(cls, secret_id: str) -> "SecretRef":
        """The secret of this id."""
        return cls(secret_id, is_id=True)


class Secrets:
    """What an account does with its secrets."""

    def __init__(
        self,
        database: Database,
        data_keys: DataKeys,
        retries: Idempotency,
        system_key: SystemKey,
        rules: SecretRules,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self.rules = rules
        self._system_key = system_key
        self._database = database
        self._data_keys = data_keys
        self._retries = retries
        self._clock = clock
        self._limits = limits

    def create(
        self, caller: Caller, name: str, value: SecretValue, retry: RetryKey | None
    ) -> Secret:
        """Keep a new secret.

        Raises:
            InvalidRequest: The name or the value breaks a rule.
            SecretNameExists: The account has a secret of this name; exactly one of many concurrent
                calls with one name does not raise this.
            AccountLimitReached: The account holds as much as it may.
        """
        self.rules.check_name(name)
        self.rules.check_value(value)
        with self._data_keys.lend_active(caller.account_id) as lent:
            return self._retries.once(
                caller, retry, self._adding(lent, caller, name, value), _ANSWERS
            )

    def list(
        self,
        caller: Caller,
        wanted: SecretFilter,
        limit: int,
        after_id: str | None,
        *,
        with_total: bool,
    ) -> SecretPage:
        """One page of the account's secrets, newest first.

        Args:
            limit: The size of the page.
            after_id: The last id of the page before; a position, whether or not it exists.
            with_total: Whether to count all pages. Costs no query when the first page holds all.
        """
        with self._database.reading() as repository:
            found = repository.secrets.page(caller.account_id, wanted, limit + 1, after_id)
            has_more = len(found) > limit
            total = None
            if with_total:
                is_all = after_id is None and not has_more
                total = (
                    len(found) if is_all else repository.secrets.count(caller.account_id, wanted)
                )
        return SecretPage(found[:limit], has_more, total)

    def get(self, caller: Caller, ref: SecretRef) -> Secret:
        """The metadata of a secret.

        Raises:
            SecretNotFound: The account has none such.
        """
        with self._database.reading() as repository:
            return self._find(repository, caller, ref)

    def update(
        self, caller: Caller, ref: SecretRef, value: SecretValue, retry: RetryKey | None
    ) -> Secret:
        """Replace the value of a secret.

        Raises:
            InvalidRequest: The value breaks a rule.
            SecretNotFound: The account has no such secret.
            TamperedRow: The id or the name in its row was edited.
            AccountLimitReached: The value is larger than the one before, and the account holds as
                many bytes as it may.
        """
        self.rules.check_value(value)
        with self._data_keys.lend_active(caller.account_id) as lent:
            return self._retries.once(
                caller, retry, self._replacing(lent, caller, ref, value), _ANSWERS
            )

    def delete(self, caller: Caller, ref: SecretRef, retry: RetryKey | None) -> Secret:
        """Delete a secret for good; what it was.

        Raises:
            SecretNotFound: The account has no such secret.
        """

        def delete(work: UnitOfWork) -> Secret:
            secret = self._find(work, caller, ref)
            if not work.secrets.delete(caller.account_id, secret.id):
                raise SecretNotFound
            self._limits.note(caller.account_id, Usage(secrets=-1))
            return secret

        return self._retries.once(caller, retry, delete, _ANSWERS)

    def _adding(
        self, lent: OpenedKey, caller: Caller, name: str, value: SecretValue
    ) -> Callable[[UnitOfWork], Secret]:
        def add(work: UnitOfWork) -> Secret:
            now = self._clock()
            secret = Secret(new_id(SECRET), name, now, now)
            identity = SecretIdentity(caller.account_id, secret.id, name)
            mac = self._system_key.opened().guard(identity).mac
            stored = seal_value(lent, secret, 1, value, mac)
            adding = Usage(secrets=1, bytes=len(stored.envelope) + ROW_BYTES)
            self._limits.require_room(work, caller.account_id, adding)
            try:
                work.secrets.add(stored)
            except Conflict:
                raise SecretNameExists(name) from None
            self._limits.note(caller.account_id, adding)
            return secret

        return add

    def _replacing(
        self, lent: OpenedKey, caller: Caller, ref: SecretRef, value: SecretValue
    ) -> Callable[[UnitOfWork], Secret]:
        def replace(work: UnitOfWork) -> Secret:
            found = self._find(work, caller, ref)
            locked = work.secrets.lock(caller.account_id, found.id)
            self._require_identity(locked, caller, found)
            secret = found._replace(update_time_ms=max(self._clock(), found.update_time_ms))
            mac = locked.identity.mac
            stored = seal_value(lent, secret, locked.version + 1, value, mac)
            larger = len(stored.envelope) - work.secrets.size(caller.account_id, found.id)
            self._limits.require_room(work, caller.account_id, Usage(bytes=larger))
            work.secrets.replace_value(stored)
            self._limits.note(caller.account_id, Usage(bytes=larger))
            return secret

        return replace

    def _require_identity(self, locked: LockedSecret, caller: Caller, found: Secret) -> None:
        """Refuse a row whose id or name was edited: its next value would be another's."""
        identity = self._system_key.opened().verify(locked.identity)
        if identity != SecretIdentity(caller.account_id, found.id, found.name):
            raise tampered(identity)

    def _find(self, repository: Repository, caller: Caller, ref: SecretRef) -> Secret:
        if ref.is_id:
            known = is_id(ref.text, SECRET)
            found = repository.secrets.view_by_id(caller.account_id, ref.text) if known else None
        else:
            known = could_be_name(ref.text)
            found = repository.secrets.view(caller.account_id, ref.text) if known else None
        if found is None:
            raise SecretNotFound
        return found
