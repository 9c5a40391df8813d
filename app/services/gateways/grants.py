"""The grant of a gateway token: every row that a request through the gateway depends on.

A token is as good as all of these at the moment of the request: its own row, the API key that
minted it and the keys above that, the account, and the config as it was when the token was minted.
So an admission and the recheck of a running request ask the same questions, in one order, and
nothing that was answered before is remembered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.constant_time import bytes_eq

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.access.scopes import Scope
from app.domain.errors import InvalidRequest, TamperedRow
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.origins import EndpointPolicy
from app.domain.gateways.refusals import (
    ConfigChanged,
    ConfigGone,
    SourceRefused,
    TokenExpired,
    TokenRefused,
)
from app.domain.gateways.tokens import GatewayToken, TokenState
from app.repository.base import Repository
from app.repository.collections.gateways import GatewayGrant
from app.services.clock import Clock
from app.services.issuers import live_issuers
from app.services.rows.damage_log import log_damage

_NONE = bytes(32)  # the digest of no token


class Grant(NamedTuple):
    """A token that is good now, with its config.

    Attributes:
        issuers: The ids of all API keys above the one that minted the token.
    """

    token: GatewayToken
    config: GatewayConfig
    issuers: tuple[str, ...]


class _Rows(NamedTuple):
    """The rows of a grant after their MACs were verified."""

    token: GatewayToken
    key: ApiKey
    account: Account
    config: GatewayConfig | None


@dataclass(eq=False, repr=False)
class Grants:
    """Finds grants, and refuses those that do not hold.

    Attributes:
        _system_config: Returns the system's config of an id, or ``None``.
        _policy: The operator's rules for upstreams.
    """

    _system_config: Callable[[str], GatewayConfig | None]
    _policy: EndpointPolicy
    _clock: Clock

    def find(
        self,
        repository: Repository,
        opened: OpenedSystemKey,
        name: tuple[str, str],
        address: str | None,
        digest: bytes | None = None,
    ) -> Grant:
        """Return the grant of a token.

        Args:
            name: The account and the id of the token.
            address: The client's, in canonical form.
            digest: The keyed hash of the token that was presented; ``None`` for a use that was
                admitted with it before.

        Raises:
            AdmissionRefused: It does not hold now.
        """
        rows = _verified(opened, _read(repository, name, digest), name)
        self._require_live(repository, opened, rows)
        if not rows.token.accepts(address):
            raise SourceRefused
        return Grant(rows.token, self._config(rows), rows.key.issuers)

    def _require_live(self, repository: Repository, opened: OpenedSystemKey, rows: _Rows) -> None:
        """Refuse a token whose time is over, or whose key or account permit nothing any more."""
        token, key, now_ms = rows.token, rows.key, self._clock()
        require_live(token, now_ms)
        is_its_key = (key.account_id, key.id) == (token.account_id, token.api_key_id)
        is_its_account = rows.account.id == token.account_id
        if not (is_its_key and is_its_account and rows.account.devbox):
            raise TokenRefused
        if not key.is_live(now_ms) or Scope.GATEWAYS_USE not in key.scopes:
            raise TokenRefused
        if key.names is not None and not key.names.permits(token.secret_name):
            raise TokenRefused
        if live_issuers(repository, opened, key, now_ms) is None:
            raise TokenRefused

    def _config(self, rows: _Rows) -> GatewayConfig:
        """Return the config of a token, if it sends the secret where it did when it was minted."""
        token, config = rows.token, rows.config or self._system_config(rows.token.config_id)
        if config is None:
            raise ConfigGone
        is_its_own = config.is_system or config.account_id == token.account_id
        if config.id != token.config_id or not is_its_own:
            raise ConfigGone
        if not bytes_eq(config.pin, token.pinned) or not config.may_join(token.secret_name):
            raise ConfigChanged
        try:
            self._policy.check(config.origin)  # which an operator may have narrowed
        except InvalidRequest:
            raise ConfigChanged from None
        return config


def require_live(token: GatewayToken, now_ms: int) -> None:
    """Refuse a token that is revoked, or whose time is over.

    Raises:
        TokenRefused: It is revoked.
        TokenExpired: Its time is over.
    """
    if token.state is not TokenState.LIVE:
        raise TokenRefused
    if not token.is_live(now_ms):
        raise TokenExpired


def _read(repository: Repository, name: tuple[str, str], digest: bytes | None) -> GatewayGrant:
    """Read the rows, and compare the digests before any MAC is verified, also where there is none.

    So a client without the secret learns nothing from the time that a refusal takes.
    """
    try:
        grant = repository.gateway_tokens.get_grant(*name)
    except TamperedRow as error:
        log_damage(error)
        raise TokenRefused from None
    expected = _NONE if grant is None else grant.token.unverified.token_digest
    is_token = digest is None or bytes_eq(digest, expected)
    if grant is None or not is_token:
        raise TokenRefused
    return grant


def _verified(opened: OpenedSystemKey, grant: GatewayGrant, name: tuple[str, str]) -> _Rows:
    try:
        token = opened.verify_often(grant.token)
        key = opened.verify_often(grant.api_key)
        account = opened.verify_often(grant.account)
        config = None if grant.config is None else opened.verify_often(grant.config)
    except TamperedRow as error:
        log_damage(error)
        raise TokenRefused from None
    # A MAC shows that the server wrote the row, not that the database returned the right one.
    if (token.account_id, token.id) != name:
        raise TokenRefused
    return _Rows(token, key, account, config)
