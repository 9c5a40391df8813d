"""API keys: issued, listed, revoked. No key mints more than it has."""

import json
from collections.abc import Iterator
from dataclasses import replace

from app.domain.api_keys import (
    API_KEY_TOKENS,
    FULL_PREFIX,
    RESTRICTED_PREFIX,
    ApiKey,
    Caller,
    IssuedApiKey,
    Token,
)
from app.domain.damage import DamagedRow
from app.domain.errors import ApiKeyNotFound, InvalidRequest, ScopeMissing
from app.domain.guarded import Guarded, tampered
from app.domain.ids import API_KEY, new_id
from app.domain.retries import RetryKey
from app.domain.scopes import ALL_SCOPES, Scope
from app.domain.usage import ROW_BYTES, Usage
from app.repository.base import Database, UnitOfWork
from app.services.clock import Clock
from app.services.in_batches import in_batches
from app.services.labels import check_label
from app.services.limits import Limits
from app.services.retries import AnswerFormat, Retries
from app.services.system_key import Purpose, SystemKey


def _dump(issued: IssuedApiKey) -> bytes:
    shown = (issued.id, issued.name, issued.token.reveal(), issued.expires_at_ms)
    return json.dumps(shown).encode()


def _load(stored: bytes) -> IssuedApiKey:
    key_id, name, token, expires_at_ms = json.loads(stored)
    return IssuedApiKey(key_id, name, Token(token), expires_at_ms)


_BATCH = 200
_ANSWERS: AnswerFormat[IssuedApiKey] = AnswerFormat(_dump, _load)


class ApiKeys:
    """The API keys of accounts, for their callers and for an operator."""

    def __init__(
        self,
        database: Database,
        system_key: SystemKey,
        retries: Retries,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._database = database
        self._system_key = system_key
        self._retries = retries
        self._clock = clock
        self._limits = limits

    def mint(
        self,
        caller: Caller,
        *,
        name: str,
        scopes: frozenset[Scope] | None,
        expires_at_ms: int | None,
        retry: RetryKey | None,
    ) -> IssuedApiKey:
        """Issue a key on behalf of a caller, with at most the caller's scopes and life.

        Args:
            scopes: ``None`` for all that the caller has; a set makes a restricted key.
            expires_at_ms: Unix milliseconds; ``None`` for as long as the caller's own key lives.

        Raises:
            ScopeMissing: The caller does not have one of the scopes.
            InvalidRequest: The name or the expiry is not valid.
            AccountLimitReached: The account holds as much as it may.
        """
        for scope in sorted((scopes or frozenset()) - caller.scopes):
            raise ScopeMissing(scope)
        granted = caller.scopes if scopes is None else scopes
        expiry = self._bounded_expiry(caller, expires_at_ms)
        check_label("name", name)
        self._system_key.require_proof()

        def issue(work: UnitOfWork) -> IssuedApiKey:
            key, issued = self._new(
                caller.account_id,
                name=name,
                scopes=granted,
                restricted=scopes is not None,
                expires_at_ms=expiry,
            )
            adding = Usage(api_keys=1, bytes=len(name) + ROW_BYTES)
            self._limits.require_room(work, caller.account_id, adding)
            work.api_keys.add(key)
            self._limits.note(caller.account_id, adding)
            return issued

        return self._retries.once(caller, retry, issue, _ANSWERS)

    def issue(
        self,
        account_id: str,
        *,
        name: str,
        scopes: frozenset[Scope] = ALL_SCOPES,
        expires_at_ms: int | None = None,
    ) -> IssuedApiKey:
        """Issue a key as an operator.

        Raises:
            InvalidRequest: The name or the expiry is not valid.
        """
        check_label("name", name)
        self._check_expiry(expires_at_ms)
        self._system_key.require_proof()
        key, issued = self._new(
            account_id,
            name=name,
            scopes=scopes,
            restricted=scopes != ALL_SCOPES,
            expires_at_ms=expires_at_ms,
        )
        with self._database.writing() as work:
            work.api_keys.add(key)
            work.commit()
        return issued

    def list(self, account_id: str) -> Iterator[ApiKey | DamagedRow]:
        """The account's keys, oldest first; one that cannot be believed as damaged."""
        opened = self._system_key.opened()
        stored = in_batches(
            self._database,
            lambda repository, after: repository.api_keys.page(account_id, after, _BATCH),
        )
        return (opened.verify_stored(each, account_id) for each in stored)

    def revoke(self, account_id: str, key_id: str) -> ApiKey:
        """Revoke a key; it is refused from the next request on. Revoking again changes nothing.

        Raises:
            ApiKeyNotFound: The account has no such key.
            TamperedRow: Its row was edited.
        """
        opened = self._system_key.opened()
        with self._database.writing() as work:
            stored = work.api_keys.get(account_id, key_id)
            if stored is None:
                raise ApiKeyNotFound
            key = opened.verify(stored)
            if (key.account_id, key.id) != (account_id, key_id):
                raise tampered(key)
            if key.revoked_at_ms is None:
                key = replace(key, revoked_at_ms=self._clock())
                work.api_keys.replace(opened.guard(key))
                work.commit()
        return key

    def _new(
        self,
        account_id: str,
        *,
        name: str,
        scopes: frozenset[Scope],
        restricted: bool,
        expires_at_ms: int | None,
    ) -> tuple[Guarded[ApiKey], IssuedApiKey]:
        opened = self._system_key.opened()
        key_id = new_id(API_KEY)
        prefix = RESTRICTED_PREFIX if restricted else FULL_PREFIX
        token = API_KEY_TOKENS.mint(prefix, account_id, key_id)
        key = ApiKey(
            account_id=account_id,
            id=key_id,
            name=name,
            restricted=restricted,
            scopes=scopes,
            token_digest=opened.digest(Purpose.API_KEY_TOKEN, token.reveal().encode()),
            created_at_ms=self._clock(),
            expires_at_ms=expires_at_ms,
            revoked_at_ms=None,
        )
        return opened.guard(key), IssuedApiKey(key_id, name, token, expires_at_ms)

    def _bounded_expiry(self, caller: Caller, expires_at_ms: int | None) -> int | None:
        if expires_at_ms is None:
            return caller.expires_at_ms
        self._check_expiry(expires_at_ms)
        if caller.expires_at_ms is not None and expires_at_ms > caller.expires_at_ms:
            raise _bad_expiry("must not be later than that of the API key that asks")
        return expires_at_ms

    def _check_expiry(self, expires_at_ms: int | None) -> None:
        if expires_at_ms is not None and expires_at_ms <= self._clock():
            raise _bad_expiry("must be in the future")


def _bad_expiry(rule: str) -> InvalidRequest:
    return InvalidRequest("The expiry is not valid.", {"expires_at_ms": rule})
