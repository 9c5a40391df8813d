"""Gateway tokens that come with an injection: chosen with it, minted by its redemption.

The config, the secret and the id of a token are decided when the injection is made, and stand in
its row. The redemption mints the token in its own transaction. The token's secret is derived, under
the system data key, from the injection's token. So a retry, which redemption recognises by its
nonce, gets the same token, and neither the token nor what it is derived from is stored.

Such a token is bound to the address of its first use, not to the redeemer's: the gateway may see
the same machine under an address of the other family.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import ApiKey, Caller, Token
from app.domain.access.scopes import Scope
from app.domain.errors import InjectionRefused, SecretsMissing, TamperedRow
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.errors import (
    GatewayConfigNotFound,
    GatewayNotConfigured,
    GatewayTokenLimitReached,
    SecretNotForGateway,
)
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.gateways.terms import Holder, Joined, TokenTerms, live_token
from app.domain.gateways.tokens import (
    GATEWAY_TOKEN_PREFIX,
    GATEWAY_TOKENS,
    MAX_LIVE_TOKENS,
    GatewayToken,
)
from app.domain.gateways.urls import ConfigUrls
from app.domain.ids import GATEWAY_TOKEN, new_id
from app.domain.injections import BoundGateway, Environment, GatewayChoices, Injection
from app.domain.operations.usage import ROW_BYTES, Usage
from app.domain.redaction import Redacted
from app.domain.secrets import Secret, SecretValue
from app.repository.base import Repository, UnitOfWork
from app.services.gateways.named_secrets import find_secrets
from app.services.gateways.stored_config import find_config
from app.services.gateways.tokens import revoke_token
from app.services.rows.damage_log import log_damage
from app.services.rows.limits import Limits


class RedeemedInjection(NamedTuple):
    """An injection that is being redeemed, with its key; both were verified.

    Attributes:
        credential: Its token, as the request has it; gateway tokens are derived from it.
    """

    injection: Injection
    key: ApiKey
    credential: Redacted


@dataclass(eq=False, repr=False)
class InjectedTokens:
    """The gateway tokens of injections.

    Attributes:
        _urls: The URLs of configs; ``None`` without a gateway.
    """

    _limits: Limits
    _system: SystemConfigs
    _urls: ConfigUrls | None
    _ttl_seconds: int

    def check(self, caller: Caller, gateways: GatewayChoices) -> None:
        """Refuse gateways to a caller who may not use any, and where there is none.

        Raises:
            ScopeMissing: The caller lacks the scope.
            GatewayNotConfigured: There is no gateway.
        """
        if gateways:
            caller.require(Scope.GATEWAYS_USE)
            if self._urls is None:
                raise GatewayNotConfigured

    def bind(
        self, work: UnitOfWork, opened: OpenedSystemKey, caller: Caller, gateways: GatewayChoices
    ) -> tuple[BoundGateway, ...]:
        """Decide on the tokens of a new injection. None is minted yet.

        Raises:
            GatewayConfigNotFound: There is no such config.
            SecretsMissing: All the secrets that do not exist, or that the caller may not use.
            SecretNotForGateway: A config may not be used with its secret.
            TamperedRow: The row of a config was edited.
        """
        secrets = find_secrets(work, caller, {chosen.secret for chosen in gateways.values()})
        missing = sorted({chosen.secret for chosen in gateways.values()} - secrets.keys())
        if missing:
            raise SecretsMissing(tuple(missing))
        bound = []
        for prefix, chosen in gateways.items():
            config = self._config(work, opened, caller.account_id, chosen.gateway)
            if config is None:
                raise GatewayConfigNotFound
            bound.append(_bound(prefix, config, secrets[chosen.secret], chosen.terms))
        return tuple(bound)

    def mint(
        self, work: UnitOfWork, opened: OpenedSystemKey, by: RedeemedInjection, now_ms: int
    ) -> Environment:
        """Mint the tokens of an injection, in the transaction that redeems it.

        Raises:
            InjectionRefused: A config or a secret is not what it was when the injection was made.
            GatewayNotConfigured: There is no gateway any more.
            GatewayTokenLimitReached: The key has as many live tokens as it may.
            AccountLimitReached: The account holds as much as it may.
        """
        gateways, account_id = by.injection.gateways, by.injection.account_id
        self._require_unchanged(work, opened, account_id, gateways)
        live = work.gateway_tokens.count_live(account_id, [by.key.id], now_ms)
        if live + len(gateways) > MAX_LIVE_TOKENS:
            raise GatewayTokenLimitReached
        rules = sum(len(bound.terms) for bound in gateways)
        adding = Usage(bytes=ROW_BYTES * len(gateways) + rules)
        self._limits.require_room(work, account_id, adding, now_ms)
        environment: Environment = {}
        for bound in gateways:
            token = _token(opened, by, bound)
            row = self._row(by, bound, _digest(opened, token), now_ms)
            work.gateway_tokens.add(opened.guard(row))
            environment |= self._variables(bound, token)
        self._limits.note(account_id, adding, now_ms)
        return environment

    def repeat(
        self, work: UnitOfWork, opened: OpenedSystemKey, by: RedeemedInjection
    ) -> Environment:
        """Return the tokens that the same request minted before.

        Raises:
            InjectionRefused: One of them is gone, or damaged.
        """
        environment: Environment = {}
        for bound in by.injection.gateways:
            token = _token(opened, by, bound)
            if _find(work, opened, by.injection.account_id, bound) is None:
                raise InjectionRefused
            environment |= self._variables(bound, token)
        return environment

    def revoke(
        self, work: UnitOfWork, opened: OpenedSystemKey, injection: Injection, now_ms: int
    ) -> None:
        """Revoke the tokens that the redemption of an injection minted.

        A damaged one is refused already, and is left as it is.
        """
        for bound in injection.gateways:
            token = _find(work, opened, injection.account_id, bound)
            if token is not None:
                revoke_token(work, opened, token, now_ms)

    def _config(
        self, repository: Repository, opened: OpenedSystemKey, account_id: str, ref: str
    ) -> GatewayConfig | None:
        return find_config(repository, opened, self._system, account_id, ref)

    def _require_unchanged(
        self,
        work: UnitOfWork,
        opened: OpenedSystemKey,
        account_id: str,
        gateways: tuple[BoundGateway, ...],
    ) -> None:
        """Refuse an injection if a secret is gone, or a config is gone or points elsewhere."""
        wanted = sorted({bound.secret_id for bound in gateways})
        names = {secret.id: secret.name for secret in work.secrets.find(account_id, wanted)}
        for bound in gateways:
            config = self._config(work, opened, account_id, bound.config_id)
            if config is None or config.pin.hex() != bound.config_pin:
                raise InjectionRefused
            if not config.may_join(bound.secret_name):
                raise InjectionRefused
            if names.get(bound.secret_id) != bound.secret_name:
                raise InjectionRefused

    def _row(
        self, by: RedeemedInjection, bound: BoundGateway, digest: bytes, now_ms: int
    ) -> GatewayToken:
        injection, key = by.injection, by.key
        holder = Holder(injection.account_id, key.id, key.expires_at_ms, injection.id, injection.id)
        pinned = bytes.fromhex(bound.config_pin)
        joined = Joined(bound.config_id, pinned, bound.secret_id, bound.secret_name)
        terms = bound.loaded_terms
        if terms.ttl_seconds is None:
            terms = replace(terms, ttl_seconds=self._ttl_seconds)
        return live_token(holder, joined, terms, (bound.token_id, digest), now_ms)

    def _variables(self, bound: BoundGateway, token: Token) -> Mapping[str, SecretValue]:
        if self._urls is None:
            raise GatewayNotConfigured
        return {
            bound.url_variable: SecretValue(self._urls.url(bound.config_id)),
            bound.prefix: SecretValue(token.reveal()),
        }


def _bound(prefix: str, config: GatewayConfig, secret: Secret, terms: TokenTerms) -> BoundGateway:
    """Return the entry of an injection, if the config may be used with the secret."""
    if not config.may_join(secret.name):
        raise SecretNotForGateway
    pin, token_id = config.pin.hex(), new_id(GATEWAY_TOKEN)
    return BoundGateway(prefix, config.id, pin, secret.id, secret.name, token_id, terms.dump())


def _token(opened: OpenedSystemKey, by: RedeemedInjection, bound: BoundGateway) -> Token:
    """Return the token that whoever has the injection's token gets for an entry of it."""
    secret = opened.digest(
        Purpose.REDEEMED_TOKEN, f"{bound.token_id} {by.credential.reveal()}".encode()
    )
    account_id = by.injection.account_id
    return GATEWAY_TOKENS.make(GATEWAY_TOKEN_PREFIX, account_id, bound.token_id, secret)


def _digest(opened: OpenedSystemKey, token: Token) -> bytes:
    return opened.digest(Purpose.GATEWAY_TOKEN, token.reveal().encode())


def _find(
    work: UnitOfWork, opened: OpenedSystemKey, account_id: str, bound: BoundGateway
) -> GatewayToken | None:
    """Return the token of an entry, or ``None`` if there is none, or a damaged one."""
    try:
        stored = work.gateway_tokens.get(account_id, bound.token_id)
        token = None if stored is None else opened.verify(stored)
    except TamperedRow as error:
        log_damage(error)
        return None
    if token is None or (token.account_id, token.id) != (account_id, bound.token_id):
        return None
    return token
