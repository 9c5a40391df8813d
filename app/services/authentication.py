"""Who calls: an API key's row is read and verified on each request, so revocation holds at once."""

from cryptography.hazmat.primitives.constant_time import bytes_eq

from app.crypto.system_key import Purpose
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

    def authenticate(self, credential: Redacted) -> Caller:
        """The caller whose API key the credential is.

        Raises:
            Unauthenticated: It is malformed, unknown, expired, revoked, or its row was edited; or
                so is a key above it.
            DevboxCapabilityMissing: It is good, and its account may not use secrets.
            KeyProviderError: This process has not opened the system data key yet, and cannot now.
        """
        parsed = API_KEY_TOKENS.parse(credential.reveal())
        if parsed is None:
            raise Unauthenticated
        digest = self._digest(parsed)
        key, account = self._verified(self._with_token(self._read(parsed), digest))
        self._require_match(parsed, digest, key, account)
        self._require_issuers(key)
        if not account.devbox:
            raise DevboxCapabilityMissing
        return Caller(key.account_id, key.id, key.scopes, key.expires_at_ms, key.issuers, key.names)

    def _digest(self, parsed: ParsedToken) -> bytes:
        opened = self._system_key.opened()  # first: what fails here must not hold the token
        return opened.digest(Purpose.API_KEY_TOKEN, parsed.token.reveal().encode())

    def _with_token(self, found: _Rows | None, digest: bytes) -> _Rows:
        """The rows, if there are any and the key's has this digest.

        Asked before any MAC is verified, and for a row that is not there too: who does not have the
        secret cannot tell by the time whether there is such a key.
        """
        key = None if found is None else found[0].unverified
        current, previous = (key.token_digest, key.previous_digest) if key else (_NONE, _NONE)
        is_token = bytes_eq(digest, current) or bytes_eq(digest, previous or _NONE)
        if found is None or not is_token:
            raise Unauthenticated
        return found

    def _verified(self, rows: _Rows) -> tuple[ApiKey, Account]:
        key, account = rows
        opened = self._system_key.opened()
        try:
            return opened.verify_often(key), opened.verify_often(account)
        except TamperedRow as error:
            log_damage(error)
            raise Unauthenticated from None

    def _read(self, parsed: ParsedToken) -> _Rows | None:
        try:
            with self._database.reading() as repository:
                return repository.api_keys.get_with_account(parsed.account_id, parsed.row_id)
        except TamperedRow as error:
            log_damage(error)
            raise Unauthenticated from None

    def _require_issuers(self, key: ApiKey) -> None:
        if not key.issuers:
            return
        opened = self._system_key.opened()
        with self._database.reading() as repository:
            line = live_issuers(repository, opened, key, self._clock())
        if line is None:
            raise Unauthenticated

    def _require_match(
        self, parsed: ParsedToken, digest: bytes, key: ApiKey, account: Account
    ) -> None:
        now = self._clock()
        matches = bytes_eq(digest, key.token_digest) or key.takes_previous(now)
        is_this_row = (key.account_id, key.id) == (parsed.account_id, parsed.row_id)
        is_this_kind = key.restricted == (parsed.prefix == RESTRICTED_PREFIX)
        owned = key.account_id == account.id
        if not (matches and is_this_row and is_this_kind and owned and key.is_live(now)):
            raise Unauthenticated
