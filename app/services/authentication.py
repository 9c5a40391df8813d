"""Who calls: an API key's row is read and verified on each request, so revocation holds at once."""

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
            Unauthenticated: It is malformed, unknown, expired, revoked, or its row was edited.
            DevboxCapabilityMissing: It is good, and its account may not use secrets.
            KeyProviderError: This process has not opened the system data key yet, and cannot now.
        """
        parsed = API_KEY_TOKENS.parse(credential.reveal())
        if parsed is None:
            raise Unauthenticated
        key, account = self._verified_rows(parsed)
        self._require_match(parsed, key, account)
        if not account.devbox:
            raise DevboxCapabilityMissing
        return Caller(key.account_id, key.id, key.scopes, key.expires_at_ms)

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

    def _require_match(self, parsed: ParsedToken, key: ApiKey, account: Account) -> None:
        matches = self._system_key.opened().matches(
            Purpose.API_KEY_TOKEN, parsed.token.reveal().encode(), key.token_digest
        )
        is_this_row = (key.account_id, key.id) == (parsed.account_id, parsed.row_id)
        is_this_kind = key.restricted == (parsed.prefix == RESTRICTED_PREFIX)
        owned = key.account_id == account.id
        if not (matches and is_this_row and is_this_kind and owned and key.is_live(self._clock())):
            raise Unauthenticated
