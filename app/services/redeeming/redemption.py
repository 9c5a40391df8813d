"""Redemption: the values of an injection for its token, once.

A redemption reads and opens everything before it writes anything:

1. Read the *grant*: the injection that the token names, the API key that made it, its account, and
   the issuers of the key. Each row must be one that this server wrote, and must still permit it.
2. Find the sealed secrets in memory, or read them; open them, through a key provider if need be.
3. Mark the injection redeemed, by one statement that writes only if every row that was read still
   stands as it was read.

So a provider that is down leaves the token unused, a value is never older than the redemption, and
of many redemptions of one token at once the database lets one through. The others begin again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from cryptography.hazmat.primitives import constant_time

from app.crypto.values import open_value
from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey, ParsedToken
from app.domain.access.scopes import Scope
from app.domain.audit.actions import Action
from app.domain.audit.actors import NamedActor
from app.domain.data_keys import DataKeyRow
from app.domain.errors import InjectionRefused, InvalidRequest, StorageUnavailable, TamperedRow
from app.domain.injections import (
    INJECTION_TOKENS,
    MAX_SECRETS,
    MAX_VALUES_BYTES,
    BoundSecret,
    Environment,
    Injection,
    InjectionState,
    RedeemNonce,
)
from app.domain.redaction import Redacted
from app.domain.secrets import SealedValue, SecretIdentity, SecretValue
from app.rates.rate_limits import RateLimits
from app.repository.base import Database, Repository, UnitOfWork
from app.repository.collections.injections import InjectionGrant
from app.repository.collections.secrets import SealedSecrets
from app.services.audit.trail import AuditTrail, versioned
from app.services.clock import Clock
from app.services.gateways.injected_tokens import InjectedTokens, RedeemedInjection
from app.services.issuers import live_issuers
from app.services.keys.data_keys import DataKeys
from app.services.keys.system_key import SystemKey
from app.services.redeeming.event import log_redemption
from app.services.redeeming.request import RedemptionRequest
from app.services.redeeming.reuse import Reuses
from app.services.redeeming.sealed_secret_cache import SealedSecretCache
from app.services.rows.damage_log import log_damage

_ATTEMPTS = 4  # the first may be with secrets from the cache
# Padding at most doubles a value, and an envelope without a value is under 512 bytes long.
_MAX_SEALED_BYTES = 2 * MAX_VALUES_BYTES + MAX_SECRETS * 512


class _Verified(NamedTuple):
    """The rows of a grant after their MACs were verified, and the injection's parsed map."""

    injection: Injection
    secrets: tuple[BoundSecret, ...]
    key: ApiKey
    account: Account


@dataclass(eq=False, repr=False)
class Redemption:
    """Hands over the values of injections."""

    _database: Database
    _data_keys: DataKeys
    _system_key: SystemKey
    _clock: Clock
    _cache: SealedSecretCache
    _rate_limits: RateLimits
    _gateways: InjectedTokens
    _trail: AuditTrail
    _reuses: Reuses

    def redeem(
        self,
        credential: Redacted,
        nonce: RedeemNonce | None,
        address: str | None,
        request_id: str | None = None,
    ) -> Environment:
        """Return the current values of the injection's secrets, by environment variable.

        Its gateway tokens and their URLs come with them.

        Args:
            credential: The token.
            nonce: A retry with the same one gets the values again for 60 seconds.
            address: The address of the client, if it is known; stored with the injection.
            request_id: The server's own id of the request.

        Raises:
            InjectionRefused: The token is malformed, unknown, used, expired or revoked; the key
                that made it, the devbox capability or one of its secrets is gone; or a row of
                these was edited.
            RateLimited: That key, or its account, is over its limit; the token stays unused.
            InvalidRequest: The nonce breaks a rule, or the values are over 1 MiB in all; the token
                stays unused.
            GatewayNotConfigured: Gateway tokens come with it, and there is no gateway any more; the
                token stays unused, as with the next two.
            GatewayTokenLimitReached: The key that made it has as many live tokens as it may.
            AccountLimitReached: The account holds as much as it may.
            KeyProviderError: A data key could not be opened; the token stays unused.
        """
        with log_redemption() as event:
            token = INJECTION_TOKENS.parse(credential.reveal())
            if token is None:
                raise InjectionRefused
            event.account_id, event.injection_id = token.account_id, token.row_id
            system_key = self._system_key.opened()
            request = RedemptionRequest.of(
                credential,
                token,
                nonce,
                (address, request_id),
                system_key=system_key,
                event=event,
            )
            try:
                return self._take(request)
            except InjectionRefused:
                if event.is_reuse:
                    self._reuses.record(request)
                raise

    def _take(self, request: RedemptionRequest) -> Environment:
        """Redeem, again where a row was changed after it was read."""
        for attempt in range(_ATTEMPTS):
            environment = self._attempt(request, is_first=attempt == 0)
            if environment is not None:
                return environment
        raise StorageUnavailable("Its secrets change too often.")

    def _attempt(self, request: RedemptionRequest, *, is_first: bool) -> Environment | None:
        """Redeem, or return ``None`` if a row was changed after it was read."""
        now_ms = self._clock()
        with self._database.reading() as repository:
            grant = _find_grant(repository, request)
            injection, wanted, key, account = _verify(request, grant)
            if not (
                _is_row_of(request.token, injection)
                and request.may_take(injection, now_ms)
                and _is_backed(injection, key, account)
                and key.is_live(now_ms)
            ):
                raise InjectionRefused
            if key.issuers:
                grant = _with_issuers(repository, request, grant, now_ms)
            if is_first:  # later attempts belong to the same request
                self._rate_limits.admit(key.account_id, key.id)
            cached = self._find_cached(repository, injection)
            sealed = cached or _read(repository, injection, wanted)
        if injection.gateways:
            self._system_key.require_proof()
        environment = self._open(injection, wanted, sealed)
        tokens = self._mark(request, grant, sealed.secrets)
        if tokens is None:
            self._cache.drop(injection)
            return None
        if cached is None:
            self._cache.put(injection, sealed.secrets)
        return environment | tokens

    def _find_cached(self, repository: Repository, injection: Injection) -> SealedSecrets | None:
        """Return the sealed secrets from the cache, perhaps outdated, if their data keys exist."""
        secrets = self._cache.find(injection)
        if secrets is None:
            return None
        wanted = sorted({secret.data_key_id for secret in secrets})
        data_keys = repository.data_keys.find(injection.account_id, wanted)
        return SealedSecrets(secrets, data_keys) if len(data_keys) == len(wanted) else None

    def _open(
        self, injection: Injection, wanted: Sequence[BoundSecret], sealed: SealedSecrets
    ) -> Environment:
        """Open every envelope. Returns the values by variable."""
        _require_bound(injection, wanted, sealed.secrets)
        values: dict[str, SecretValue] = {}
        for stored in sealed.data_keys:
            with self._data_keys.open(stored, injection.account_id) as data_key:
                for secret in sealed.secrets:
                    if secret.data_key_id == data_key.context.data_key_id:
                        values[secret.id] = open_value(data_key, secret)
        if len(values) != len(sealed.secrets):
            raise TamperedRow(DataKeyRow.table)
        return _environment(wanted, values)

    def _mark(
        self, request: RedemptionRequest, grant: InjectionGrant, secrets: Sequence[SealedValue]
    ) -> Environment | None:
        """Mark the injection redeemed, and mint its gateway tokens.

        Returns:
            The variables of these tokens, or ``None`` if a row is not as it was read.
        """
        redeemed = request.redeemed(grant.injection, self._clock())
        with self._database.writing() as work:
            now_ms = self._clock()
            _require_unexpired(request, grant, now_ms)
            if not work.injections.replace_if_granted(redeemed, grant, secrets):
                return None
            tokens = self._tokens(work, request, grant, now_ms)
            self._commit(work, request, grant, secrets, now_ms)
            return tokens

    def _commit(
        self,
        work: UnitOfWork,
        request: RedemptionRequest,
        grant: InjectionGrant,
        secrets: Sequence[SealedValue],
        now_ms: int,
    ) -> None:
        """Record which versions are handed over, also by a retry that changes nothing; commit."""
        injection, key = grant.injection.unverified, grant.api_key.unverified
        is_repeated = injection.state is InjectionState.REDEEMED
        self._trail.commit(
            work,
            request.system_key,
            Action.INJECTION_REPEATED if is_repeated else Action.INJECTION_REDEEMED,
            injection.id,
            *[versioned(secret.id, secret.version) for secret in secrets],
            *[bound.token_id for bound in injection.gateways],
            account_id=injection.account_id,
            by=NamedActor(key.id, key.issuers, request.address, request.request_id),
            at_ms=now_ms,
        )

    def _tokens(
        self, work: UnitOfWork, request: RedemptionRequest, grant: InjectionGrant, now_ms: int
    ) -> Environment:
        """Mint the gateway tokens of the injection, or return them to a retry, by variable."""
        injection = grant.injection.unverified
        if not injection.gateways:
            return {}
        by = RedeemedInjection(injection, grant.api_key.unverified, request.credential)
        if injection.state is InjectionState.REDEEMED:
            return self._gateways.repeat(work, request.system_key, by)
        return self._gateways.mint(work, request.system_key, by, now_ms)


def _find_grant(repository: Repository, request: RedemptionRequest) -> InjectionGrant:
    """Return the rows that the token names, or refuse a token that is not the injection's.

    The digests are compared before any MAC is verified, and also where there is no row. So a client
    without the secret learns nothing from the time that a refusal takes.
    """
    token = request.token
    try:
        grant = repository.injections.get_grant(token.account_id, token.row_id)
    except TamperedRow as error:
        log_damage(error)
        raise InjectionRefused from None
    expected = bytes(32) if grant is None else grant.injection.unverified.token_digest
    is_token = constant_time.bytes_eq(request.token_digest, expected)
    if grant is None or not is_token:
        raise InjectionRefused
    return grant


def _verify(request: RedemptionRequest, grant: InjectionGrant) -> _Verified:
    """Verify the MACs of a grant."""
    system_key, event = request.system_key, request.event
    try:
        injection = system_key.verify(grant.injection)
        secrets = injection.secrets
        event.api_key_id = injection.api_key_id
        event.secrets = secrets
        # Key and account are the same for many redemptions, so their verification is cached.
        key = system_key.verify_often(grant.api_key)
        event.issuers = key.issuers
        return _Verified(injection, secrets, key, system_key.verify_often(grant.account))
    except TamperedRow as error:
        log_damage(error)
        raise InjectionRefused from None


def _is_row_of(token: ParsedToken, injection: Injection) -> bool:
    # A MAC shows that the server wrote the row, not that the database returned the right one.
    return (injection.account_id, injection.id) == (token.account_id, token.row_id)


def _is_backed(injection: Injection, key: ApiKey, account: Account) -> bool:
    """Return True if key and account are those of the injection, and may inject."""
    is_its_key = (key.account_id, key.id) == (injection.account_id, injection.api_key_id)
    is_its_account = account.id == injection.account_id
    return is_its_key and is_its_account and account.devbox and Scope.SECRETS_INJECT in key.scopes


def _with_issuers(
    repository: Repository, request: RedemptionRequest, grant: InjectionGrant, now_ms: int
) -> InjectionGrant:
    """Return the grant with the issuers of its verified key, or refuse it if one has ended."""
    issuers = live_issuers(repository, request.system_key, grant.api_key.unverified, now_ms)
    if issuers is None:
        raise InjectionRefused
    return replace(grant, issuers=issuers)


def _read(
    repository: Repository, injection: Injection, wanted: Sequence[BoundSecret]
) -> SealedSecrets:
    ids = sorted({bound.secret_id for bound in wanted})
    sealed = repository.secrets.sealed(injection.account_id, ids, _MAX_SEALED_BYTES)
    if sealed is None:
        raise _too_large()
    return sealed


def _require_bound(
    injection: Injection, wanted: Sequence[BoundSecret], secrets: Sequence[SealedValue]
) -> None:
    """Refuse secrets other than those that were named when the injection was made.

    At that time an edited database could map a name to another secret's id. Here each name is part
    of its value's context, so a wrong one does not open; and a secret is never renamed.
    """
    names = {secret.id: secret.name for secret in secrets}
    if not names.keys() >= {bound.secret_id for bound in wanted}:
        raise InjectionRefused
    for bound in wanted:
        if names[bound.secret_id] != bound.secret_name:
            raise TamperedRow(SecretIdentity.table, injection.account_id, bound.secret_id)


def _environment(wanted: Sequence[BoundSecret], values: dict[str, SecretValue]) -> Environment:
    """Return the values by variable, or refuse them if they are too large together."""
    environment, size = {}, 0
    for bound in wanted:
        value = environment[bound.variable] = values[bound.secret_id]
        size += len(bound.variable) + len(value.reveal().encode())
    if size > MAX_VALUES_BYTES:
        raise _too_large()
    return environment


def _too_large() -> InvalidRequest:
    rule = f"names and values must be at most {MAX_VALUES_BYTES} bytes in all"
    return InvalidRequest("The injection is too large.", {"secrets": rule})


def _require_unexpired(request: RedemptionRequest, grant: InjectionGrant, now_ms: int) -> None:
    """Refuse a grant that expired while this redemption waited for other writers."""
    for key in (grant.api_key, *grant.issuers):
        if not key.unverified.is_live(now_ms):
            raise InjectionRefused
    if not request.may_take(grant.injection.unverified, now_ms):
        raise InjectionRefused
