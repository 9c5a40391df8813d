"""Gateway keys: made and revoked by an operator, verified at each admission."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.constant_time import bytes_eq

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.api_keys import ParsedToken
from app.domain.access.labels import check_label
from app.domain.audit.actions import Action
from app.domain.damage import DamagedRow
from app.domain.errors import TamperedRow
from app.domain.gateways.keys import GATEWAY_KEY_TOKENS, GatewayKey, IssuedGatewayKey
from app.domain.gateways.refusals import GatewayKeyNotFound, GatewayKeyRefused
from app.domain.guarded import Guarded, tampered
from app.domain.ids import GATEWAY_KEY, new_id
from app.domain.redaction import Redacted
from app.repository.base import Conflict, Database, Repository
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.keys.system_key import SystemKey
from app.services.rows.damage_log import log_damage
from app.services.rows.in_batches import in_batches

_BATCH = 200
_NONE = bytes(32)  # the digest of no token


@dataclass(eq=False, repr=False)
class GatewayKeys:
    """The gateway keys of the deployment."""

    _database: Database
    _system_key: SystemKey
    _clock: Clock
    _trail: AuditTrail

    def new(self, name: str) -> IssuedGatewayKey:
        """Return a new key, which is good once ``add`` has stored it.

        Raises:
            InvalidRequest: The name is not valid.
        """
        check_label("name", name)
        key_id = new_id(GATEWAY_KEY)
        deployment_id = self._system_key.opened().context.deployment_id
        token = GATEWAY_KEY_TOKENS.mint(GATEWAY_KEY, deployment_id, key_id)
        return IssuedGatewayKey(key_id, name, token)

    def add(self, name: str, token: Redacted) -> bool:
        """Store the key of a token that ``new`` made, unless it is stored already.

        Returns:
            False for a token of another deployment, or of none; it is not stored.

        Raises:
            KeyProviderError: The root key was not proved to be usable lately.
        """
        opened = self._system_key.opened()
        parsed = _parse(opened, token)
        if parsed is None:
            return False
        if self._is_stored(parsed.row_id):
            return True
        self._system_key.require_proof()
        row = GatewayKey(parsed.row_id, name, _digest(opened, token), self._clock())
        with suppress(Conflict), self._database.writing() as work:
            work.gateway_keys.add(opened.guard(row))
            self._trail.commit(work, opened, Action.GATEWAY_KEY_CREATED, row.id)
        return True

    def _is_stored(self, key_id: str) -> bool:
        try:
            with self._database.reading() as repository:
                return repository.gateway_keys.get(key_id) is not None
        except TamperedRow:
            return True

    def any_stored(self) -> bool:
        """Return True if there is a key, good or not."""
        with self._database.reading() as repository:
            return bool(repository.gateway_keys.sweep(None, 1).rows)

    def list(self) -> Iterator[GatewayKey | DamagedRow]:
        """Yield every key, oldest first; one that cannot be believed as damaged."""
        opened = self._system_key.opened()
        stored = in_batches(
            self._database, lambda repository, after: repository.gateway_keys.sweep(after, _BATCH)
        )
        return (opened.verify_stored(each) for each in stored)

    def revoke(self, key_id: str) -> GatewayKey:
        """Revoke a key: the next admission with it is refused. Again, it changes nothing.

        Raises:
            GatewayKeyNotFound: There is no such key.
            TamperedRow: Its row was edited.
        """
        opened = self._system_key.opened()
        with self._database.writing() as work:
            key = _verified(opened, work, key_id)
            if key.is_live:
                key = replace(key, revoked_at_ms=self._clock())
                work.gateway_keys.replace(opened.guard(key))
                self._trail.commit(work, opened, Action.GATEWAY_KEY_REVOKED, key.id)
        return key

    def authenticate(self, credential: Redacted) -> str:
        """Return the id of the key whose token the credential is.

        Raises:
            GatewayKeyRefused: It is malformed, unknown or revoked, or its row was edited.
            KeyProviderError: This process has not opened the system data key yet, and cannot now.
        """
        opened = self._system_key.opened()
        parsed = _parse(opened, credential)
        if parsed is None:
            raise GatewayKeyRefused
        digest = _digest(opened, credential)
        try:
            with self._database.reading() as repository:
                stored = repository.gateway_keys.get(parsed.row_id)
            # Compared before any MAC is verified, and also where there is no row: the time that a
            # refusal takes shows nothing.
            is_token = bytes_eq(digest, stored.unverified.token_digest if stored else _NONE)
            if stored is None or not is_token:
                raise GatewayKeyRefused
            key = opened.verify_often(stored)
        except TamperedRow as error:
            log_damage(error)
            raise GatewayKeyRefused from None
        if key.id != parsed.row_id or not key.is_live:
            raise GatewayKeyRefused
        return key.id


def _parse(opened: OpenedSystemKey, token: Redacted) -> ParsedToken | None:
    """Parse a token. Returns ``None`` for one of another deployment, too."""
    parsed = GATEWAY_KEY_TOKENS.parse(token.reveal())
    is_ours = parsed is not None and parsed.account_id == opened.context.deployment_id
    return parsed if is_ours else None


def _digest(opened: OpenedSystemKey, token: Redacted) -> bytes:
    return opened.digest(Purpose.GATEWAY_KEY, token.reveal().encode())


def _verified(opened: OpenedSystemKey, repository: Repository, key_id: str) -> GatewayKey:
    stored: Guarded[GatewayKey] | None = repository.gateway_keys.get(key_id)
    if stored is None:
        raise GatewayKeyNotFound
    key = opened.verify(stored)
    if key.id != key_id:
        raise tampered(key)
    return key
