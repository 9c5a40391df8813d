"""Gateway tokens: minted, listed and revoked for the account that owns the secrets.

A token is for one config and one secret. It has the pin of its config from when it was minted, so a
config that is pointed elsewhere later takes no secret along. Admission decides about each use.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import Caller, Token
from app.domain.audit.actions import Action
from app.domain.damage import DamagedRow
from app.domain.errors import SecretNotFound, TamperedRow
from app.domain.gateways.configs import GatewayConfig
from app.domain.gateways.errors import (
    GatewayConfigNotFound,
    GatewayNotConfigured,
    GatewayTokenLimitReached,
    GatewayTokenNotFound,
    SecretNotForGateway,
)
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.gateways.terms import Holder, Joined, NewGatewayToken, live_token
from app.domain.gateways.tokens import (
    GATEWAY_TOKEN_PREFIX,
    GATEWAY_TOKENS,
    MAX_LIVE_TOKENS,
    GatewayToken,
    GatewayTokenView,
    IssuedGatewayToken,
    TokenFilter,
    TokenPage,
    TokenState,
    check_devbox_id,
)
from app.domain.gateways.urls import ConfigUrls
from app.domain.idempotency import RetryKey
from app.domain.ids import GATEWAY_TOKEN, is_id, new_id
from app.domain.operations.usage import ROW_BYTES, Usage
from app.repository.base import Database, Repository, UnitOfWork
from app.repository.collections.batches import Position, Stored
from app.services.clock import Clock
from app.services.gateways.named_secrets import find_secrets
from app.services.gateways.stored_config import dump_config, find_config, load_config
from app.services.idempotency import Attempt, Idempotency, ResponseFormat
from app.services.keys.system_key import SystemKey
from app.services.rows.limits import Limits
from app.services.rows.pages import BoundedPage, fill

MAX_PAGE_BYTES = 1024 * 1024
_BATCH = 100


def _dump(issued: IssuedGatewayToken) -> str:
    config = dump_config(issued.config)
    token = issued.token.reveal()
    return json.dumps(
        (issued.id, token, issued.expires_at_ms, issued.devbox_id, config, issued.url)
    )


def _load(stored: str) -> IssuedGatewayToken:
    token_id, token, expires_at_ms, devbox_id, config, url = json.loads(stored)
    return IssuedGatewayToken(
        token_id, Token(token), expires_at_ms, devbox_id, load_config(config), url
    )


_RESPONSES: ResponseFormat[IssuedGatewayToken] = ResponseFormat(_dump, _load)
_ID = ResponseFormat(str, str)
_NUMBER = ResponseFormat(str, int)


@dataclass(eq=False, repr=False)
class GatewayTokens:
    """The gateway tokens of accounts.

    Attributes:
        _urls: The URLs of configs; ``None`` without a gateway.
        _ttl_seconds: The lifetime of a token if none is asked for.
    """

    _database: Database
    _system_key: SystemKey
    _idempotency: Idempotency
    _clock: Clock
    _limits: Limits
    _system: SystemConfigs
    _urls: ConfigUrls | None
    _ttl_seconds: int

    def mint(
        self, caller: Caller, devbox_id: str, wanted: NewGatewayToken, retry: RetryKey | None
    ) -> IssuedGatewayToken:
        """Mint a token for one config and one secret. No value is opened.

        Raises:
            GatewayNotConfigured: There is no gateway.
            InvalidRequest: A part of it breaks a rule.
            GatewayConfigNotFound: There is no such config.
            SecretNotFound: There is no such secret, or none that the caller may use.
            SecretNotForGateway: The config may not be used with the secret.
            GatewayTokenLimitReached: The caller's key has as many live tokens as it may.
            AccountLimitReached: The account holds as much as it may.
            TamperedRow: The row of the config was edited.
        """
        if self._urls is None:
            raise GatewayNotConfigured
        check_devbox_id(devbox_id)
        terms = wanted.terms.checked()
        if terms.ttl_seconds is None:
            terms = replace(terms, ttl_seconds=self._ttl_seconds)
        self._system_key.require_proof()
        with self._idempotency.attempt(caller, retry, _RESPONSES) as attempt:
            if attempt.response is not None:
                return attempt.response
            work, account_id, now_ms = attempt.work, caller.account_id, attempt.now_ms
            config, joined = self._find_both(attempt, caller, wanted)
            live = work.gateway_tokens.count_live(account_id, [caller.api_key_id], now_ms)
            if live >= MAX_LIVE_TOKENS:
                raise GatewayTokenLimitReached
            token_id = new_id(GATEWAY_TOKEN)
            token = GATEWAY_TOKENS.mint(GATEWAY_TOKEN_PREFIX, account_id, token_id)
            digest = attempt.system_key.digest(Purpose.GATEWAY_TOKEN, token.reveal().encode())
            holder = Holder(account_id, caller.api_key_id, caller.expires_at_ms, devbox_id)
            row = live_token(holder, joined, terms, (token_id, digest), now_ms)
            adding = Usage(bytes=len(row.allow or "") + ROW_BYTES)
            self._limits.require_room(work, account_id, adding, now_ms)
            work.gateway_tokens.add(attempt.system_key.guard(row))
            self._limits.note(account_id, adding, now_ms)
            url = self._urls.url(config.id)
            issued = IssuedGatewayToken(token_id, token, row.expires_at_ms, devbox_id, config, url)
            about = (token_id, config.id, row.secret_id)
            return attempt.commit(issued, Action.GATEWAY_TOKEN_CREATED, *about)

    def list(
        self, caller: Caller, wanted: TokenFilter, limit: int, after_id: str | None
    ) -> TokenPage:
        """One page of the account's tokens, newest first; a limited key sees its own.

        A damaged row is shown as damaged; one whose id no client could ask for is left out.
        """
        page = BoundedPage[GatewayTokenView | DamagedRow](limit, MAX_PAGE_BYTES)
        if caller.names is not None:
            wanted = replace(wanted, api_key_id=caller.api_key_id)
        opened, now_ms = self._system_key.opened(), self._clock()

        def add(stored: Stored[GatewayToken]) -> None:
            row = opened.verify_stored(stored, caller.account_id)
            if isinstance(row, GatewayToken):
                shown = GatewayTokenView(row, row.status(now_ms))
                page.add(shown, len(row.allow or "") + 4 * ROW_BYTES)
            elif row.id is not None and is_id(row.id, GATEWAY_TOKEN):
                page.add(row, ROW_BYTES)

        with self._database.reading() as repository:
            tokens = partial(repository.gateway_tokens.page, caller.account_id, wanted)
            has_more = fill(page, tokens, add, None if after_id is None else (after_id,))
        return TokenPage(page.rows, has_more)

    def get(self, caller: Caller, token_id: str) -> GatewayTokenView | DamagedRow:
        """One token of the account; as damaged, if its row was edited.

        Raises:
            GatewayTokenNotFound: The account has none such.
        """
        with self._database.reading() as repository:
            try:
                token = _find(repository, self._system_key.opened(), caller, token_id)
            except TamperedRow as error:
                return error.row
        return GatewayTokenView(token, token.status(self._clock()))

    def revoke(
        self, caller: Caller, token_id: str, retry: RetryKey | None
    ) -> GatewayTokenView | DamagedRow:
        """Revoke a token: it is refused from the next request on.

        Raises:
            GatewayTokenNotFound: The account has none such.
            TamperedRow: Its row was edited, so it is refused already.
        """
        with self._idempotency.attempt(caller, retry, _ID) as attempt:
            if attempt.response is None:
                token = _find(attempt.work, attempt.system_key, caller, token_id)
                revoke_token(attempt.work, attempt.system_key, token, attempt.now_ms)
                attempt.commit(token.id, Action.GATEWAY_TOKEN_REVOKED, token.id)
        return self.get(caller, token_id)

    def revoke_box(self, caller: Caller, devbox_id: str, retry: RetryKey | None) -> int:
        """Revoke all live tokens of a box. Returns how many there were.

        A limited key revokes its own. A damaged token is refused already, and left as it is.

        Raises:
            InvalidRequest: The box id breaks a rule.
        """
        check_devbox_id(devbox_id)
        own = None if caller.names is None else caller.api_key_id
        wanted = TokenFilter(devbox_id=devbox_id, api_key_id=own)
        with self._idempotency.attempt(caller, retry, _NUMBER) as attempt:
            if attempt.response is not None:
                return attempt.response
            work, now_ms = attempt.work, attempt.now_ms
            revoked: list[str] = []
            after: Position | None = None
            while True:
                batch = work.gateway_tokens.page(caller.account_id, wanted, after, _BATCH)
                for stored in batch.rows:
                    token = attempt.system_key.verify_stored(stored, caller.account_id)
                    if isinstance(token, GatewayToken) and token.is_live(now_ms):
                        revoke_token(work, attempt.system_key, token, now_ms)
                        revoked.append(token.id)
                after = batch.after
                if after is None:
                    return _commit_revoked(attempt, revoked)

    def _find_both(
        self, attempt: Attempt[IssuedGatewayToken], caller: Caller, wanted: NewGatewayToken
    ) -> tuple[GatewayConfig, Joined]:
        """Return the config of a new token, and its part in the row with that of the secret."""
        config = find_config(
            attempt.work, attempt.system_key, self._system, caller.account_id, wanted.gateway
        )
        if config is None:
            raise GatewayConfigNotFound
        secret = find_secrets(attempt.work, caller, {wanted.secret}).get(wanted.secret)
        if secret is None:
            raise SecretNotFound
        if not config.may_join(secret.name):
            raise SecretNotForGateway
        return config, Joined(config.id, config.pin, secret.id, secret.name)


def _commit_revoked(attempt: Attempt[int], token_ids: Sequence[str]) -> int:
    """Commit the revocation of tokens. Returns their number."""
    number = len(token_ids)
    if not token_ids:
        return attempt.commit_unchanged(number)
    return attempt.commit(number, Action.GATEWAY_TOKEN_REVOKED, *token_ids)


def _find(
    repository: Repository, opened: OpenedSystemKey, caller: Caller, token_id: str
) -> GatewayToken:
    stored = None
    if is_id(token_id, GATEWAY_TOKEN):
        stored = repository.gateway_tokens.get(caller.account_id, token_id)
    if stored is None:
        raise GatewayTokenNotFound
    token = opened.verify(stored)
    if (token.account_id, token.id) != (caller.account_id, token_id):
        raise TamperedRow(GatewayToken.table, caller.account_id, token_id)
    if caller.names is not None and token.api_key_id != caller.api_key_id:
        raise GatewayTokenNotFound
    return token


def revoke_token(
    work: UnitOfWork, system_key: OpenedSystemKey, token: GatewayToken, now_ms: int
) -> None:
    """Revoke a token that was verified, unless it is."""
    if token.state is TokenState.LIVE:
        revoked = replace(token, state=TokenState.REVOKED, revoked_at_ms=now_ms)
        work.gateway_tokens.replace(system_key.guard(revoked))
