"""Who calls: an API key's row is read and verified on each request, so revocation holds at once."""

from cryptography.hazmat.primitives.constant_time import bytes_eq

from app.domain.accounts import Account
from app.domain.api_keys import (
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
from app.services.system_key import Purpose, SystemKey


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
        key, account = self._verified_rows(parsed)
        self._require_match(parsed, key, account)
        self._require_issuers(key)
        if not account.devbox:
            raise DevboxCapabilityMissing
        return Caller(key.account_id, key.id, key.scopes, key.expires_at_ms, key.issuers, key.names)

    def _verified_rows(self, parsed: ParsedToken) -> tuple[ApiKey, Account]:
        key, account = self._read(parsed)
        opened = self._system_key.opened()
        try:
            return opened.verify_often(key), opened.verify_often(account)
        except TamperedRow:
            raise Unauthenticated from None

    def _read(self, parsed: ParsedToken) -> tuple[Guarded[ApiKey], Guarded[Account]]:
        try:
            with self._database.reading() as repository:
                rows = repository.api_keys.get_with_account(parsed.account_id, parsed.row_id)
        except TamperedRow:
            raise Unauthenticated from None
        if rows is None:
            raise Unauthenticated
        return rows

    def _require_issuers(self, key: ApiKey) -> None:
        if not key.issuers:
            return
        opened = self._system_key.opened()
        with self._database.reading() as repository:
            line = live_issuers(repository, opened, key, self._clock())
        if line is None:
            raise Unauthenticated

    def _require_match(self, parsed: ParsedToken, key: ApiKey, account: Account) -> None:
        matches = self._is_token_of(key, parsed)
        is_this_row = (key.account_id, key.id) == (parsed.account_id, parsed.row_id)
        is_this_kind = key.restricted == (parsed.prefix == RESTRICTED_PREFIX)
        owned = key.account_id == account.id
        if not (matches and is_this_row and is_this_kind and owned and key.is_live(self._clock())):
            raise Unauthenticated

    def _is_token_of(self, key: ApiKey, parsed: ParsedToken) -> bool:
        """Whether it is the token of the key, or the one before the last rotation, in its time."""
        token = parsed.token.reveal().encode()
        digest = self._system_key.opened().digest(Purpose.API_KEY_TOKEN, token)
        if bytes_eq(digest, key.token_digest):
            return True
        is_previous = bytes_eq(digest, key.previous_digest or b"")
        return is_previous and key.takes_previous(self._clock())
