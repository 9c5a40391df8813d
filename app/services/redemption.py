"""Redemption: the values of an injection for its token, once.

Everything is opened before anything is written. One statement then marks the token used if every
row that was read still stands as it was: a provider that is down leaves the token unused, and of
many concurrent redemptions the database lets one through. The others begin anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import constant_time

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.crypto.values import open_value
from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey, ParsedToken
from app.domain.access.scopes import Scope
from app.domain.data_keys import DataKeyRow
from app.domain.errors import InjectionRefused, InvalidRequest, StorageUnavailable, TamperedRow
from app.domain.guarded import Guarded
from app.domain.injections import (
    INJECTION_TOKENS,
    MAX_SECRETS,
    MAX_VALUES_BYTES,
    BoundSecret,
    Environment,
    Injection,
    InjectionState,
    RedeemNonce,
    check_nonce,
)
from app.domain.redaction import Redacted
from app.domain.secrets import SealedValue, SecretIdentity, SecretValue
from app.repository.base import Database, Repository
from app.repository.collections.injections import InjectionGrant
from app.repository.collections.secrets import SealedSecrets
from app.services.clock import Clock
from app.services.issuers import live_issuers
from app.services.keys.data_keys import DataKeys
from app.services.keys.system_key import SystemKey
from app.services.redemption_events import RedemptionEvent, redemption_event
from app.services.rows.damage_log import log_damage
from app.services.sealed_secret_cache import SealedSecretCache

_ATTEMPTS = 4  # the first may be with secrets that were kept
# Padding at most doubles a value, and an envelope without a value is under 512 bytes long.
_MOST_SEALED_BYTES = 2 * MAX_VALUES_BYTES + MAX_SECRETS * 512


@dataclass(frozen=True, slots=True)
class _Request:
    """One redemption as it was asked for."""

    parsed: ParsedToken
    nonce_digest: bytes | None
    address: str | None
    event: RedemptionEvent


class Redemption:
    """Hands over the values of injections."""

    def __init__(
        self,
        database: Database,
        data_keys: DataKeys,
        system_key: SystemKey,
        clock: Clock,
        kept: SealedSecretCache,
    ) -> None:
        self._database = database
        self._data_keys = data_keys
        self._system_key = system_key
        self._clock = clock
        self._kept = kept

    def redeem(
        self, credential: Redacted, nonce: RedeemNonce | None, address: str | None
    ) -> Environment:
        """The current values of the injection's secrets, by environment variable.

        Args:
            credential: The token.
            nonce: With the same one, the values may be had again for 30 seconds.
            address: Where the request comes from, if that is known; kept with the injection.

        Raises:
            InjectionRefused: The token is malformed, unknown, used, expired or revoked; the key
                that made it, its account's capability or one of its secrets is gone; or a row of
                these was edited.
            InvalidRequest: The nonce breaks a rule, or the values are over 1 MiB in all; the token
                stays unused.
            KeyProviderError: A data key could not be opened; the token stays unused.
        """
        with redemption_event() as event:
            parsed = INJECTION_TOKENS.parse(credential.reveal())
            if parsed is None:
                raise InjectionRefused
            event.account_id, event.injection_id = parsed.account_id, parsed.row_id
            request = _Request(parsed, self._nonce_digest(parsed, nonce), address, event)
            return self._redeem(request)

    def _redeem(self, request: _Request) -> Environment:
        for _ in range(_ATTEMPTS):
            environment = self._attempt(request)
            if environment is not None:
                return environment
        raise StorageUnavailable("Its secrets change too often.")

    def _nonce_digest(self, parsed: ParsedToken, nonce: RedeemNonce | None) -> bytes | None:
        opened = self._system_key.opened()
        if nonce is None:
            return None
        check_nonce(nonce)
        asked = f"{parsed.account_id} {parsed.row_id} {nonce.reveal()}"
        return opened.digest(Purpose.REDEEM_NONCE, asked.encode())

    def _attempt(self, request: _Request) -> Environment | None:
        """One try; ``None`` when what was read is not what stands there when it is marked."""
        with self._database.reading() as repository:
            found = self._with_token(_find_grant(repository, request), request.parsed)
            grant = self._granted(repository, found, request)
            injection = grant.injection.unverified
            kept = self._find_kept(repository, injection)
            sealed = kept or _read(repository, injection)
        values = self._open(injection, sealed)
        if not self._mark(request, grant, sealed.secrets):
            self._kept.drop(injection)
            return None
        if kept is None:
            self._kept.keep(injection, sealed.secrets)
        return {bound.variable: values[bound.secret_id] for bound in injection.secrets}

    def _find_kept(self, repository: Repository, injection: Injection) -> SealedSecrets | None:
        """Its secrets as they were read before, while their data keys are there."""
        secrets = self._kept.find(injection)
        if secrets is None:
            return None
        wanted = sorted({secret.data_key_id for secret in secrets})
        data_keys = repository.data_keys.find(injection.account_id, wanted)
        return SealedSecrets(secrets, data_keys) if len(data_keys) == len(wanted) else None

    def _with_token(self, found: InjectionGrant | None, parsed: ParsedToken) -> InjectionGrant:
        """The grant, if there is one and the token is its injection's.

        Asked before any MAC is verified, and for a row that is not there too: who does not have the
        secret cannot tell by the time whether there is such an injection.
        """
        expected = bytes(32) if found is None else found.injection.unverified.token_digest
        token, opened = parsed.token.reveal().encode(), self._system_key.opened()
        is_token = opened.matches(Purpose.INJECTION_TOKEN, token, expected)
        if found is None or not is_token:
            raise InjectionRefused
        return found

    def _granted(
        self, repository: Repository, grant: InjectionGrant, request: _Request
    ) -> InjectionGrant:
        """The grant with its issuers, if all rows of it are ours and still grant."""
        opened = self._system_key.opened()
        injection, key, account = _verified(opened, grant, request.event)
        if not (
            _is_row_of(request.parsed, injection)
            and self._may_take(injection, request)
            and _is_backed(injection, key, account)
            and key.is_live(self._clock())
        ):
            raise InjectionRefused
        issuers = live_issuers(repository, opened, key, self._clock())
        if issuers is None:
            raise InjectionRefused
        return replace(grant, issuers=issuers) if issuers else grant

    def _may_take(self, injection: Injection, request: _Request) -> bool:
        now = self._clock()
        if injection.state is InjectionState.PENDING:
            return injection.is_pending(now)
        is_used = injection.state is InjectionState.REDEEMED
        is_same_try = is_used and _is_same_try(injection, request, now)
        request.event.is_reuse = is_used and not is_same_try
        request.event.is_repeated = is_same_try
        return is_same_try

    def _open(self, injection: Injection, sealed: SealedSecrets) -> dict[str, SecretValue]:
        _require_bound(injection, sealed.secrets)
        values: dict[str, SecretValue] = {}
        for stored in sealed.data_keys:
            with self._data_keys.lend(stored, injection.account_id) as lent:
                for secret in sealed.secrets:
                    if secret.data_key_id == lent.context.data_key_id:
                        values[secret.id] = open_value(lent, secret)
        if len(values) != len(sealed.secrets):
            raise TamperedRow(DataKeyRow.table)
        _check_size(injection.secrets, values)
        return values

    def _mark(self, request: _Request, seen: InjectionGrant, used: Sequence[SealedValue]) -> bool:
        """Mark the token used if all is as it was; whether it was."""
        redeemed = self._redeemed(request, seen.injection)
        with self._database.writing() as work:
            self._require_time_left(request, seen)
            if not work.injections.replace_if_granted(redeemed, seen, used):
                return False
            if redeemed is not seen.injection:
                work.commit()
            return True

    def _redeemed(self, request: _Request, seen: Guarded[Injection]) -> Guarded[Injection]:
        """What becomes of an injection; nothing, if this try was made before."""
        injection = seen.unverified
        if injection.state is InjectionState.REDEEMED:
            return seen
        redeemed = replace(
            injection,
            state=InjectionState.REDEEMED,
            redeemed_at_ms=self._clock(),
            redeemed_from=request.address,
            nonce_digest=request.nonce_digest,
        )
        return self._system_key.opened().guard(redeemed)

    def _require_time_left(self, request: _Request, seen: InjectionGrant) -> None:
        """Refuse what expired while others were writing."""
        now = self._clock()
        is_live = all(key.unverified.is_live(now) for key in (seen.api_key, *seen.issuers))
        if not is_live or not self._may_take(seen.injection.unverified, request):
            raise InjectionRefused


def _read(repository: Repository, injection: Injection) -> SealedSecrets:
    ids = sorted({bound.secret_id for bound in injection.secrets})
    sealed = repository.secrets.sealed(injection.account_id, ids, _MOST_SEALED_BYTES)
    if sealed is None:
        raise _too_large()
    return sealed


def _find_grant(repository: Repository, request: _Request) -> InjectionGrant | None:
    parsed = request.parsed
    try:
        return repository.injections.get_grant(parsed.account_id, parsed.row_id)
    except TamperedRow as error:
        log_damage(error)
        raise InjectionRefused from None


def _verified(
    opened: OpenedSystemKey, grant: InjectionGrant, event: RedemptionEvent
) -> tuple[Injection, ApiKey, Account]:
    try:
        injection = opened.verify(grant.injection)
        event.api_key_id = injection.api_key_id
        event.secret_ids = [bound.secret_id for bound in injection.secrets]
        return injection, opened.verify_often(grant.api_key), opened.verify_often(grant.account)
    except TamperedRow as error:
        log_damage(error)
        raise InjectionRefused from None


def _is_row_of(parsed: ParsedToken, injection: Injection) -> bool:
    return (injection.account_id, injection.id) == (parsed.account_id, parsed.row_id)


def _is_backed(injection: Injection, key: ApiKey, account: Account) -> bool:
    """Whether key and account are those of the injection, and may inject."""
    is_its_key = (key.account_id, key.id) == (injection.account_id, injection.api_key_id)
    is_its_account = account.id == injection.account_id
    return is_its_key and is_its_account and account.devbox and Scope.SECRETS_INJECT in key.scopes


def _is_same_try(injection: Injection, request: _Request, now_ms: int) -> bool:
    stored = injection.nonce_digest
    if request.nonce_digest is None or stored is None:
        return False
    matches = constant_time.bytes_eq(stored, request.nonce_digest)
    return matches and injection.is_repeatable(now_ms)


def _require_bound(injection: Injection, secrets: Sequence[SealedValue]) -> None:
    """Refuse other secrets than those that were named when the injection was made.

    Secrets were looked up by names that nothing had authenticated by then. The names here are those
    that the values are opened with, and a secret is never renamed.
    """
    names = {secret.id: secret.name for secret in secrets}
    if any(bound.secret_id not in names for bound in injection.secrets):
        raise InjectionRefused
    for bound in injection.secrets:
        if names[bound.secret_id] != bound.secret_name:
            raise TamperedRow(SecretIdentity.table, injection.account_id, bound.secret_id)


def _check_size(wanted: Sequence[BoundSecret], values: dict[str, SecretValue]) -> None:
    total = sum(
        len(bound.variable) + len(values[bound.secret_id].reveal().encode()) for bound in wanted
    )
    if total > MAX_VALUES_BYTES:
        raise _too_large()


def _too_large() -> InvalidRequest:
    rule = f"names and values must be at most {MAX_VALUES_BYTES} bytes in all"
    return InvalidRequest("The injection is too large.", {"secrets": rule})
