"""Authentication: each request reads and verifies the row of its API key.

So a revocation holds from the next request on.
"""

from cryptography.hazmat.primitives.constant_time import bytes_eq

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.accounts import Account
from app.domain.access.api_keys import (
    API_KEY_TOKENS,
    RESTRICTED_PREFIX,
    ApiKey,
    Caller,
    ParsedToken,
)
from app.domain.errors import DevboxCapabilityMissing, TamperedRow, Unauthenticated
from app.domain.guarded import Guarded
from app.domain.redaction import Redacted
from app.repository.base import Database
from app.services.clock import Clock
from app.services.issuers import live_issuers
from app.services.keys.system_key import SystemKey
from app.services.rows.damage_log import log_damage

_Rows = tuple[Guarded[ApiKey], Guarded[Account]]
_NONE = bytes(32)  # the digest of no token


class Authentication:
    """Turns a bearer token into the caller that it stands for."""

    def __init__(self, database: Database, system_key: SystemKey, clock: Clock) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock

    def authenticate(
        self, credential: Redacted, address: str | None = None, request_id: str | None = None
    ) -> Caller:
        """The caller whose API key the credential is.

        Args:
            address: The address of the client, if it is known.
            request_id: The server's own id of the request.

        Raises:
            Unauthenticated: It is malformed, unknown, expired, revoked, or its row was edited; or
                so is a key above it.
            DevboxCapabilityMissing: It is good, and its account may not use secrets.
            KeyProviderError: This process has not opened the system data key yet, and cannot now.
        """
        token = API_KEY_TOKENS.parse(credential.reveal())
        if token is None:
            raise Unauthenticated
        system_key = self._system_key.opened()
        digest = system_key.digest(Purpose.API_KEY_TOKEN, credential.reveal().encode())
        key, account = _verified(system_key, _with_token(self._read(token), digest))
        now_ms = self._clock()
        _require_match(token, digest, key, account, now_ms)
        if key.issuers:
            self._require_issuers(system_key, key, now_ms)
        if not account.devbox:
            raise DevboxCapabilityMissing
        return Caller(
            key.account_id,
            key.id,
            key.scopes,
            key.expires_at_ms,
            key.issuers,
            key.names,
            address,
            request_id,
        )

    def _read(self, token: ParsedToken) -> _Rows | None:
        try:
            with self._database.reading() as repository:
                return repository.api_keys.get_with_account(token.account_id, token.row_id)
        except TamperedRow as error:
            log_damage(error)
            raise Unauthenticated from None

    def _require_issuers(self, system_key: OpenedSystemKey, key: ApiKey, now_ms: int) -> None:
        with self._database.reading() as repository:
            if live_issuers(repository, system_key, key, now_ms) is None:
                raise Unauthenticated


def _with_token(rows: _Rows | None, digest: bytes) -> _Rows:
    """The rows, if there are any and the key's token has this digest.

    The digests are compared before any MAC is verified, and also where there is no row. So a client
    without the secret learns nothing from the time that a refusal takes.
    """
    key = None if rows is None else rows[0].unverified
    current, previous = (key.token_digest, key.previous_digest) if key else (_NONE, _NONE)
    is_token = bytes_eq(digest, current) or bytes_eq(digest, previous or _NONE)
    if rows is None or not is_token:
        raise Unauthenticated
    return rows


def _verified(system_key: OpenedSystemKey, rows: _Rows) -> tuple[ApiKey, Account]:
    key, account = rows
    try:
        return system_key.verify_often(key), system_key.verify_often(account)
    except TamperedRow as error:
        log_damage(error)
        raise Unauthenticated from None


def _require_match(
    token: ParsedToken, digest: bytes, key: ApiKey, account: Account, now_ms: int
) -> None:
    matches = bytes_eq(digest, key.token_digest) or key.takes_previous(now_ms)
    is_this_row = (key.account_id, key.id) == (token.account_id, token.row_id)
    is_this_kind = key.restricted == (token.prefix == RESTRICTED_PREFIX)
    owned = key.account_id == account.id
    if not (matches and is_this_row and is_this_kind and owned and key.is_live(now_ms)):
        raise Unauthenticated
