"""API keys: issued, listed, rotated, revoked. No key mints more than it has."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import (
    API_KEY_TOKENS,
    FULL_PREFIX,
    MAX_ISSUERS,
    MAX_OVERLAP_MS,
    RESTRICTED_PREFIX,
    ApiKey,
    Caller,
    IssuedApiKey,
    Revocation,
    RotatedApiKey,
    Token,
)
from app.domain.access.key_lives import KeyLives
from app.domain.access.labels import check_label
from app.domain.access.name_limits import NameLimit
from app.domain.access.scopes import ALL_SCOPES, GRANTING_PAIRS, Scope
from app.domain.audit.actions import Action
from app.domain.damage import DamagedRow
from app.domain.errors import (
    ApiKeyEnded,
    ApiKeyNotFound,
    InvalidRequest,
    IssuerLimitReached,
    ScopeMissing,
)
from app.domain.guarded import Guarded, tampered
from app.domain.idempotency import RetryKey
from app.domain.ids import API_KEY, new_id
from app.domain.operations.usage import ROW_BYTES, Usage
from app.repository.base import Database, Repository, UnitOfWork
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.idempotency import Idempotency, ResponseFormat
from app.services.issuers import live_issuers
from app.services.keys.system_key import SystemKey
from app.services.rows.in_batches import in_batches
from app.services.rows.limits import Limits


def _dump(issued: IssuedApiKey) -> str:
    scopes = " ".join(sorted(issued.scopes))
    return json.dumps((issued.id, issued.name, scopes, issued.token.reveal(), issued.expires_at_ms))


def _load(stored: str) -> IssuedApiKey:
    key_id, name, scopes, token, expires_at_ms = json.loads(stored)
    granted = frozenset(map(Scope, scopes.split()))
    return IssuedApiKey(key_id, name, granted, Token(token), expires_at_ms)


_BATCH = 200
_LIMITED_SCOPES = frozenset({Scope.SECRETS_INJECT, Scope.GATEWAYS_USE})
_LIMITED_RULE = f"go with no other scopes than {' and '.join(sorted(_LIMITED_SCOPES))}"
_GRANTING_RULE = "must hold one of: " + ", ".join(map(" with ".join, GRANTING_PAIRS))
_RESPONSES: ResponseFormat[IssuedApiKey] = ResponseFormat(_dump, _load)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NewKey:
    """An API key to issue."""

    name: str
    scopes: frozenset[Scope]
    restricted: bool
    expires_at_ms: int | None
    issuers: tuple[str, ...] = ()
    names: NameLimit | None = None


@dataclass(eq=False, repr=False)
class ApiKeys:
    """The API keys of accounts, for their callers and for an operator."""

    _database: Database
    _system_key: SystemKey
    _idempotency: Idempotency
    _clock: Clock
    _limits: Limits
    _trail: AuditTrail

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
            IssuerLimitReached: There are three keys above the caller's own already.
            InvalidRequest: The name or the expiry is not valid, or there is no scope at all.
            AccountLimitReached: The account holds as much as it may.
        """
        if scopes is not None and not scopes:
            raise InvalidRequest("The key could do nothing.", {"scopes": _GRANTING_RULE})
        for scope in sorted((scopes or frozenset()) - caller.scopes):
            raise ScopeMissing(scope)
        issuers = (*caller.issuers, caller.api_key_id)
        if len(issuers) > MAX_ISSUERS:
            raise IssuerLimitReached
        wanted = _NewKey(
            name=name,
            scopes=caller.scopes if scopes is None else scopes,
            restricted=scopes is not None,
            expires_at_ms=self._bounded_expiry(caller, expires_at_ms),
            issuers=issuers,
        )
        check_label("name", name)
        self._system_key.require_proof()
        with self._idempotency.attempt(caller, retry, _RESPONSES) as attempt:
            if attempt.response is not None:
                return attempt.response
            account_id, now_ms = caller.account_id, attempt.now_ms
            adding = Usage(api_keys=1, bytes=len(name) + ROW_BYTES)
            self._limits.require_room(attempt.work, account_id, adding, now_ms)
            key, issued = _issued(attempt.system_key, account_id, wanted, now_ms)
            attempt.work.api_keys.add(key)
            self._limits.note(account_id, adding, now_ms)
            return attempt.commit(issued, Action.API_KEY_CREATED, issued.id)

    def issue(
        self,
        account_id: str,
        *,
        name: str,
        scopes: frozenset[Scope] = ALL_SCOPES,
        expires_at_ms: int | None = None,
        names: NameLimit | None = None,
    ) -> IssuedApiKey:
        """Issue a key as an operator.

        Args:
            names: The secrets that it may inject, or use through the gateway, where it may do
                nothing else.

        Raises:
            InvalidRequest: The name or the expiry is not valid, or names come with other scopes.
        """
        check_label("name", name)
        self._check_expiry(expires_at_ms)
        if names is not None and not (scopes and scopes <= _LIMITED_SCOPES):
            raise InvalidRequest("The names are not valid.", {"names": _LIMITED_RULE})
        self._system_key.require_proof()
        wanted = _NewKey(
            name=name,
            scopes=scopes,
            restricted=scopes != ALL_SCOPES,
            expires_at_ms=expires_at_ms,
            names=names,
        )
        opened = self._system_key.opened()
        key, issued = _issued(opened, account_id, wanted, self._clock())
        with self._database.writing() as work:
            work.api_keys.add(key)
            self._commit(work, opened, Action.API_KEY_CREATED, key.unverified)
        return issued

    def list(self, account_id: str) -> Iterator[ApiKey | DamagedRow]:
        """The account's keys, oldest first; one that cannot be believed as damaged."""
        opened = self._system_key.opened()
        stored = in_batches(
            self._database,
            lambda repository, after: repository.api_keys.page(account_id, after, _BATCH),
        )
        return (opened.verify_stored(each, account_id) for each in stored)

    def revoke(self, account_id: str, key_id: str, *, dry_run: bool = False) -> Revocation:
        """Revoke a key: it, all keys below it and their tokens are refused from now on.

        Only its own row is written. Revoking again changes nothing. What could be read of the keys
        below is counted; a damaged one is dead anyway.

        Args:
            dry_run: Only count.

        Raises:
            ApiKeyNotFound: The account has no such key.
            TamperedRow: Its row was edited.
        """
        with self._database.reading() as repository:
            before = self._verified(repository, account_id, key_id)
        key = before if dry_run else self._revoke(account_id, key_id)
        lost = self._live_from(before)
        with self._database.reading() as repository:
            now_ms = self._clock()
            injections = repository.injections.count_pending(account_id, lost, now_ms)
            tokens = repository.gateway_tokens.count_live(account_id, lost, now_ms)
        return Revocation(key, max(len(lost) - 1, 0), injections, tokens)

    def rotate(
        self, account_id: str, key_id: str, *, overlap_ms: int = MAX_OVERLAP_MS
    ) -> RotatedApiKey:
        """Give a key a new token; its id stays, and so do the keys below it.

        Args:
            overlap_ms: How long the token before stays good, an hour at most; never for longer than
                the key. The one before that is refused from now on.

        Raises:
            ApiKeyNotFound: The account has no such key.
            ApiKeyEnded: It, or a key above it, is revoked or has expired.
            InvalidRequest: The overlap is too long.
            TamperedRow: Its row was edited.
        """
        if not 0 <= overlap_ms <= MAX_OVERLAP_MS:
            raise InvalidRequest(
                "The overlap is not valid.", {"overlap": "must be at most an hour"}
            )
        self._system_key.require_proof()
        opened = self._system_key.opened()
        with self._database.writing() as work:
            key = self._verified(work, account_id, key_id)
            now = self._clock()
            if not key.is_live(now) or live_issuers(work, opened, key, now) is None:
                raise ApiKeyEnded
            token = API_KEY_TOKENS.mint(_prefix(key.restricted), account_id, key_id)
            rotated = _rotated(key, _digest(opened, token), now, overlap_ms)
            work.api_keys.replace(opened.guard(rotated))
            self._commit(work, opened, Action.API_KEY_ROTATED, rotated)
        issued = IssuedApiKey(key_id, key.name, key.scopes, token, key.expires_at_ms)
        return RotatedApiKey(issued, rotated.previous_until_ms)

    def _live_from(self, key: ApiKey) -> Sequence[str]:
        """The live ones among a key, as it was, and all keys below it."""
        others = (
            each
            for each in self.list(key.account_id)
            if isinstance(each, ApiKey) and each.id != key.id
        )
        return KeyLives([key, *others], self._clock()).live_from(key.id)

    def _revoke(self, account_id: str, key_id: str) -> ApiKey:
        opened = self._system_key.opened()
        with self._database.writing() as work:
            key = self._verified(work, account_id, key_id)
            if key.revoked_at_ms is None:
                key = replace(key, revoked_at_ms=self._clock())
                work.api_keys.replace(opened.guard(key))
                self._commit(work, opened, Action.API_KEY_REVOKED, key)
        return key

    def _commit(
        self, work: UnitOfWork, opened: OpenedSystemKey, action: Action, key: ApiKey
    ) -> None:
        """Record what the operator does with a key, and commit."""
        self._trail.commit(work, opened, action, key.id, account_id=key.account_id)

    def _verified(self, repository: Repository, account_id: str, key_id: str) -> ApiKey:
        stored = repository.api_keys.get(account_id, key_id)
        if stored is None:
            raise ApiKeyNotFound
        key = self._system_key.opened().verify(stored)
        if (key.account_id, key.id) != (account_id, key_id):
            raise tampered(key)
        return key

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


def _issued(
    system_key: OpenedSystemKey, account_id: str, wanted: _NewKey, now_ms: int
) -> tuple[Guarded[ApiKey], IssuedApiKey]:
    key_id = new_id(API_KEY)
    token = API_KEY_TOKENS.mint(_prefix(wanted.restricted), account_id, key_id)
    key = ApiKey(
        account_id=account_id,
        id=key_id,
        name=wanted.name,
        restricted=wanted.restricted,
        scopes=wanted.scopes,
        token_digest=_digest(system_key, token),
        created_at_ms=now_ms,
        expires_at_ms=wanted.expires_at_ms,
        revoked_at_ms=None,
        issuers=wanted.issuers,
        names=wanted.names,
    )
    issued = IssuedApiKey(key_id, wanted.name, wanted.scopes, token, wanted.expires_at_ms)
    return system_key.guard(key), issued


def _rotated(key: ApiKey, digest: bytes, now_ms: int, overlap_ms: int) -> ApiKey:
    """The key with a new token, whose predecessor stays good for the overlap."""
    until: int | None = now_ms + overlap_ms
    if key.expires_at_ms is not None:
        until = min(now_ms + overlap_ms, key.expires_at_ms)
    if overlap_ms == 0:
        until = None
    return replace(
        key,
        token_digest=digest,
        rotated_at_ms=now_ms,
        previous_digest=None if until is None else key.token_digest,
        previous_until_ms=until,
    )


def _digest(system_key: OpenedSystemKey, token: Token) -> bytes:
    return system_key.digest(Purpose.API_KEY_TOKEN, token.reveal().encode())


def _prefix(restricted: bool) -> str:  # noqa: FBT001 - the column of the row
    return RESTRICTED_PREFIX if restricted else FULL_PREFIX


def _bad_expiry(rule: str) -> InvalidRequest:
    return InvalidRequest("The expiry is not valid.", {"expires_at_ms": rule})
