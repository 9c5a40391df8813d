"""Injections: made, listed and revoked for the account that owns the secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import Caller, Token
from app.domain.audit.actions import Action
from app.domain.damage import DamagedRow
from app.domain.errors import InjectionNotFound, SecretsMissing, TamperedRow
from app.domain.guarded import Guarded, tampered
from app.domain.idempotency import RetryKey
from app.domain.ids import INJECTION, SECRET, is_id, new_id
from app.domain.injections import (
    INJECTION_TOKEN_PREFIX,
    INJECTION_TOKENS,
    MAX_PAGE_BYTES,
    NO_GATEWAYS,
    BoundSecret,
    GatewayChoices,
    Injection,
    InjectionPage,
    InjectionState,
    InjectionView,
    IssuedInjection,
    bind,
    check_request,
)
from app.domain.operations.usage import ROW_BYTES, Usage
from app.repository.base import Database, Repository
from app.repository.collections.batches import Batch, Position
from app.services.audit.trail import NO_DETAILS
from app.services.clock import Clock
from app.services.gateways.injected_tokens import InjectedTokens
from app.services.idempotency import Idempotency, ResponseFormat
from app.services.keys.system_key import SystemKey
from app.services.rows.limits import Limits
from app.services.rows.pages import BoundedPage
from app.services.upkeep.retention import Retention


def _dump(issued: IssuedInjection) -> str:
    return json.dumps((issued.id, issued.token.reveal(), issued.expires_at_ms))


def _load(stored: str) -> IssuedInjection:
    injection_id, token, expires_at_ms = json.loads(stored)
    return IssuedInjection(injection_id, Token(token), expires_at_ms)


_BATCH = 100
_MAX_BATCHES = 100
_ROW_BYTES = 512
"""More than a shown injection takes beside its map, which is shorter than its stored text."""
_RESPONSES: ResponseFormat[IssuedInjection] = ResponseFormat(_dump, _load)
_ID = ResponseFormat(str, str)


@dataclass(eq=False, repr=False)
class Injections:
    """The injections of an account, up to their redemption."""

    _database: Database
    _system_key: SystemKey
    _idempotency: Idempotency
    _clock: Clock
    _limits: Limits
    _retention: Retention
    _gateways: InjectedTokens

    def create(
        self,
        caller: Caller,
        secrets: Mapping[str, str],
        ttl_seconds: int,
        retry: RetryKey | None,
        gateways: GatewayChoices = NO_GATEWAYS,
    ) -> IssuedInjection:
        """Prepare secrets for one process. No value is opened.

        Args:
            secrets: Environment variable to the name or the id of a secret.
            ttl_seconds: How long the token lives, at most until the caller's own key expires.
            gateways: The gateway tokens that redemption mints, by environment variable.

        Raises:
            InvalidRequest: The map or the life breaks a rule.
            SecretsMissing: All the secrets that do not exist; nothing was made.
            ScopeMissing: It names gateways, which the caller may not use.
            GatewayNotConfigured: It names gateways, and there is none.
            GatewayConfigNotFound: One of them does not exist.
            SecretNotForGateway: One of them may not be used with its secret.
            AccountLimitReached: The account holds as much as it may.
        """
        check_request(secrets, ttl_seconds, gateways)
        self._gateways.check(caller, gateways)
        self._system_key.require_proof()
        with self._idempotency.attempt(caller, retry, _RESPONSES) as attempt:
            if attempt.response is not None:
                return attempt.response
            work, account_id, now_ms = attempt.work, caller.account_id, attempt.now_ms
            tokens = self._gateways.bind(work, attempt.system_key, caller, gateways)
            named = _bind(work, caller, secrets)
            bound = bind(named, tokens)
            expires_at_ms = now_ms + ttl_seconds * 1000
            if caller.expires_at_ms is not None:
                expires_at_ms = min(expires_at_ms, caller.expires_at_ms)
            injection, issued = _issued(attempt.system_key, caller, bound, now_ms, expires_at_ms)
            adding = Usage(injections=1, bytes=len(bound) + ROW_BYTES)
            self._limits.require_room(work, account_id, adding, now_ms)
            work.injections.add(injection)
            swept = self._retention.delete_injections(work, account_id)
            self._limits.note(account_id, adding, now_ms)
            secret_ids = dict.fromkeys(each.secret_id for each in named)
            about = (issued.id, *secret_ids)
            details = {"swept": swept} if swept else NO_DETAILS
            return attempt.commit(issued, Action.INJECTION_CREATED, *about, details=details)

    def list(self, caller: Caller, limit: int, after_id: str | None) -> InjectionPage:
        """One page of the account's injections, newest first.

        It ends at ``limit`` injections or at 1 MiB, whichever comes first. A damaged row is shown
        as damaged; one whose id no client could ask for is left out.
        """
        page = BoundedPage[InjectionView | DamagedRow](limit, MAX_PAGE_BYTES)
        after: Position | None = None if after_id is None else (after_id,)
        only = None if caller.names is None else caller.api_key_id
        with self._database.reading() as repository:
            for _ in range(_MAX_BATCHES):
                size = min(page.room, _BATCH)
                batch = repository.injections.page(caller.account_id, after, size, api_key_id=only)
                self._fill(page, batch, caller.account_id)
                after = batch.after
                if after is None or not page.room:
                    break
        return InjectionPage(page.rows, page.has_more or after is not None)

    def get(self, caller: Caller, injection_id: str) -> InjectionView:
        """One injection of the account.

        Raises:
            InjectionNotFound: The account has none such.
            TamperedRow: Its row was edited.
        """
        with self._database.reading() as repository:
            return self._view(self._find(repository, caller, injection_id))

    def look_up(self, caller: Caller, injection_id: str) -> InjectionView | DamagedRow:
        """One injection of the account; as damaged, if its row was edited.

        Raises:
            InjectionNotFound: The account has none such.
        """
        try:
            return self.get(caller, injection_id)
        except TamperedRow as error:
            return error.row

    def revoke(self, caller: Caller, injection_id: str, retry: RetryKey | None) -> InjectionView:
        """Kill the token: a pending injection is revoked, a redeemed one gives its values no more.

        The gateway tokens that its redemption minted are revoked, too.

        Raises:
            InjectionNotFound: The account has none such.
            TamperedRow: Its row was edited.
        """
        with self._idempotency.attempt(caller, retry, _ID) as attempt:
            if attempt.response is None:
                injection = replace(
                    self._find(attempt.work, caller, injection_id), nonce_digest=None
                )
                if injection.state is InjectionState.PENDING:
                    injection = replace(injection, state=InjectionState.REVOKED)
                attempt.work.injections.replace(attempt.system_key.guard(injection))
                self._gateways.revoke(attempt.work, attempt.system_key, injection, attempt.now_ms)
                attempt.commit(injection.id, Action.INJECTION_REVOKED, injection.id)
        return self.get(caller, injection_id)

    def _find(self, repository: Repository, caller: Caller, injection_id: str) -> Injection:
        stored = None
        if is_id(injection_id, INJECTION):
            stored = repository.injections.get(caller.account_id, injection_id)
        if stored is None:
            raise InjectionNotFound
        injection = self._system_key.opened().verify(stored)
        if (injection.account_id, injection.id) != (caller.account_id, injection_id):
            raise tampered(injection)
        if not _may_see(caller, injection):
            raise InjectionNotFound
        return injection

    def _fill(
        self,
        page: BoundedPage[InjectionView | DamagedRow],
        batch: Batch[Injection],
        account_id: str,
    ) -> None:
        opened = self._system_key.opened()
        for row in (opened.verify_stored(each, account_id) for each in batch.rows):
            if isinstance(row, Injection):
                page.add(self._view(row), len(row.bound) + _ROW_BYTES)
            elif row.id is not None and is_id(row.id, INJECTION):
                page.add(row, _ROW_BYTES)

    def _view(self, injection: Injection) -> InjectionView:
        return InjectionView(injection, injection.status(self._clock()))


def _issued(
    system_key: OpenedSystemKey, caller: Caller, bound: str, now_ms: int, expires_at_ms: int
) -> tuple[Guarded[Injection], IssuedInjection]:
    injection_id = new_id(INJECTION)
    token = INJECTION_TOKENS.mint(INJECTION_TOKEN_PREFIX, caller.account_id, injection_id)
    injection = Injection(
        account_id=caller.account_id,
        id=injection_id,
        api_key_id=caller.api_key_id,
        bound=bound,
        token_digest=system_key.digest(Purpose.INJECTION_TOKEN, token.reveal().encode()),
        state=InjectionState.PENDING,
        created_at_ms=now_ms,
        expires_at_ms=expires_at_ms,
    )
    return system_key.guard(injection), IssuedInjection(injection_id, token, expires_at_ms)


def _may_see(caller: Caller, injection: Injection) -> bool:
    """Return True if the caller may see the names in it: a limited key sees its own injections."""
    return caller.names is None or injection.api_key_id == caller.api_key_id


def _bind(
    repository: Repository, caller: Caller, secrets: Mapping[str, str]
) -> tuple[BoundSecret, ...]:
    """The secrets that the map names, by id; a secret may stand under several variables.

    One that the caller may not hand over is missing, by its name and by its id. Redemption compares
    the name on which this is decided with the one that the value opens under.
    """
    found = [
        secret
        for secret in repository.secrets.find(caller.account_id, sorted(set(secrets.values())))
        if caller.names is None or caller.names.permits(secret.name)
    ]
    names = {secret.name: secret for secret in found if not is_id(secret.name, SECRET)}
    by_ref = names | {secret.id: secret for secret in found if is_id(secret.id, SECRET)}
    missing = sorted(set(secrets.values()) - set(by_ref))
    if missing:
        raise SecretsMissing(tuple(missing))
    return tuple(
        BoundSecret(variable, by_ref[ref].id, by_ref[ref].name) for variable, ref in secrets.items()
    )
