"""Secrets: created, listed, replaced and deleted for the account that owns them.

Listing, getting and deleting never open a value, so a damaged row can always be seen, replaced and
deleted.
"""

import json
from dataclasses import dataclass

from app.crypto.values import seal_value
from app.domain.access.api_keys import Caller
from app.domain.audit.actions import Action
from app.domain.errors import SecretNameExists, SecretNotFound
from app.domain.idempotency import RetryKey
from app.domain.ids import SECRET, new_id
from app.domain.operations.usage import ROW_BYTES, Usage
from app.domain.secrets import (
    Secret,
    SecretFilter,
    SecretIdentity,
    SecretPage,
    SecretRef,
    SecretRules,
    SecretValue,
)
from app.repository.base import Conflict, Database
from app.services.audit.trail import versioned, with_name
from app.services.idempotency import Idempotency, ResponseFormat
from app.services.keys.data_keys import DataKeys
from app.services.rows.limits import Limits
from app.services.versions.archive import Archive

_RESPONSES: ResponseFormat[Secret] = ResponseFormat(
    json.dumps, lambda stored: Secret(*json.loads(stored))
)


@dataclass(eq=False, repr=False)
class Secrets:
    """The secrets of accounts."""

    _database: Database
    _data_keys: DataKeys
    _idempotency: Idempotency
    rules: SecretRules
    _limits: Limits
    _archive: Archive

    def create(
        self, caller: Caller, name: str, value: SecretValue, retry: RetryKey | None
    ) -> Secret:
        """Store a new secret.

        Raises:
            InvalidRequest: The name or the value breaks a rule.
            SecretNameExists: The account has a secret of this name; exactly one of many concurrent
                calls with one name does not raise this.
            AccountLimitReached: The account holds as much as it may.
        """
        self.rules.check_name(name)
        self.rules.check_value(value)
        with (
            self._data_keys.open_active(caller.account_id) as data_key,
            self._idempotency.attempt(caller, retry, _RESPONSES) as attempt,
        ):
            if attempt.response is not None:
                return attempt.response
            now_ms = attempt.now_ms
            secret = Secret(new_id(SECRET), name, now_ms, now_ms)
            identity = SecretIdentity(caller.account_id, secret.id, name)
            mac = attempt.system_key.guard(identity).mac
            stored = seal_value(data_key, secret, 1, value, mac)
            adding = Usage(secrets=1, bytes=len(stored.envelope) + ROW_BYTES)
            self._limits.require_room(attempt.work, caller.account_id, adding, now_ms)
            try:
                attempt.work.secrets.add(stored)
            except Conflict:
                raise SecretNameExists(name) from None
            self._limits.note(caller.account_id, adding, now_ms)
            named = with_name(attempt.system_key, caller.account_id, name)
            subject = versioned(secret.id, 1)
            return attempt.commit(secret, Action.SECRET_CREATED, subject, details=named)

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
            with_total: Whether to count all pages.
        """
        page = caller.account_id, wanted, limit + 1, after_id
        total: int | None = None
        with self._database.reading() as repository:
            if with_total:
                found, total = repository.secrets.page_and_count(*page)
            else:
                found = repository.secrets.page(*page)
        return SecretPage(found[:limit], len(found) > limit, total)

    def get(self, caller: Caller, ref: SecretRef) -> Secret:
        """The metadata of a secret.

        Raises:
            SecretNotFound: The account has none such.
        """
        if ref.is_possible:
            with self._database.reading() as repository:
                found = repository.secrets.view(caller.account_id, ref)
            if found is not None:
                return found
        raise SecretNotFound

    def update(
        self, caller: Caller, ref: SecretRef, value: SecretValue, retry: RetryKey | None
    ) -> Secret:
        """Replace the value of a secret. The one before becomes an old version.

        Raises:
            InvalidRequest: The value breaks a rule.
            SecretNotFound: The account has no such secret.
            TamperedRow: The id or the name in its row was edited.
            AccountLimitReached: The value is larger than the one before, and the account holds as
                many bytes as it may.
        """
        self.rules.check_value(value)
        with (
            self._data_keys.open_active(caller.account_id) as data_key,
            self._idempotency.attempt(caller, retry, _RESPONSES) as attempt,
        ):
            if attempt.response is not None:
                return attempt.response
            secrets = attempt.work.secrets
            locked = secrets.lock(caller.account_id, ref) if ref.is_possible else None
            if locked is None:
                raise SecretNotFound
            done = self._archive.replace(attempt, caller, data_key, locked, value)
            subject = versioned(done.secret.id, done.version)
            return attempt.commit(done.secret, Action.SECRET_UPDATED, subject, details=done.details)

    def delete(self, caller: Caller, ref: SecretRef, retry: RetryKey | None) -> Secret:
        """Delete a secret and its old versions for good. Returns its metadata.

        Raises:
            SecretNotFound: The account has no such secret.
        """
        with self._idempotency.attempt(caller, retry, _RESPONSES) as attempt:
            if attempt.response is not None:
                return attempt.response
            secrets = attempt.work.secrets
            secret = secrets.delete(caller.account_id, ref) if ref.is_possible else None
            if secret is None:
                raise SecretNotFound
            self._limits.note(caller.account_id, Usage(secrets=-1), attempt.now_ms)
            named = with_name(attempt.system_key, caller.account_id, secret.name)
            return attempt.commit(secret, Action.SECRET_DELETED, secret.id, details=named)
