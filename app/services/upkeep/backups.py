"""Backups: made of the database, and looked through once one has become the database again."""

import logging
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.api_keys import ApiKey
from app.domain.audit.actions import Action, Outcome
from app.domain.damage import DamagedRow
from app.domain.errors import BackupDamaged
from app.domain.gateways.keys import GatewayKey
from app.domain.gateways.tokens import GatewayToken, TokenState
from app.domain.guarded import Guarded
from app.domain.injections import Injection, InjectionState
from app.domain.operations.backups import (
    BackupContents,
    NeededRootKey,
    OpenTokens,
    TakenOver,
    Verified,
)
from app.repository.base import Database, Replacement, UnitOfWork
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.issuers import live_issuers
from app.services.keys.system_key import SystemKey
from app.services.rows.damaged_rows import damaged_rows, damaged_secrets
from app.services.rows.in_batches import in_batches
from backends.errors import (
    KeyAccessDenied,
    KeyDisabled,
    KeyUnavailable,
    UnknownKey,
)

_LOG = logging.getLogger("strongroom.backup")

R = TypeVar("R", Injection, GatewayToken)
BATCH = 200
NAMED_ROWS = 100

_END_OF_TIME_MS = 2**63 - 1
_NOTHING = BackupContents(secrets=0, data_keys=0, root_keys=())

LiveKeys = AbstractSet[tuple[str, str, bytes]]
"""API keys and gateway keys, as account, id and the keyed hash of the token.

The account of a gateway key is empty.
"""


class Backups:
    """Makes backups, and takes over what one brings."""

    def __init__(
        self, database: Database, system_key: SystemKey, clock: Clock, trail: AuditTrail
    ) -> None:
        self._database = database
        self._system_key = system_key
        self._clock = clock
        self._trail = trail

    def make(self, file: Path) -> BackupContents:
        """Write a backup to a new file, while others write.

        That one begins is recorded before, so that no copy is without a record. It must work in an
        outage, too: where no provider opens the system data key, it is logged only.

        Raises:
            FileRefused: The file exists, or cannot be made.
        """
        opened = self._opened()
        if opened is None:
            _LOG.warning("backup_not_recorded")
            return self._database.back_up(file)
        with self._database.writing() as work:
            self._trail.commit(work, opened, Action.BACKUP_MADE, outcome=Outcome.BEGUN)
        contents = self._database.back_up(file)
        details = {"secrets": contents.secrets, "data_keys": contents.data_keys}
        with self._database.writing() as work:
            self._trail.commit(work, opened, Action.BACKUP_MADE, details=details)
        return contents

    def live_keys(self) -> LiveKeys:
        """Every API key and gateway key that grants something now.

        Raises:
            KeyProviderError: The system data key, which verifies them, cannot be opened.
        """
        opened = self._system_key.opened()
        return frozenset(map(_grant, self._live(opened)))

    def verify(self) -> Verified:
        """Verify a database that other tools put back, and change nothing.

        Raises:
            StorageUnavailable: The database cannot be read.
            NotInitialised: The database holds no deployment.
        """
        findings = self._database.check()
        if not findings.ok:
            return Verified(
                findings, _NOTHING, is_verified=False, damaged=(), open_tokens=OpenTokens()
            )
        opened = self._opened()
        damaged: tuple[DamagedRow, ...] = ()
        open_tokens = OpenTokens()
        if opened is not None:
            damaged = self._named_damage(opened)
            now_ms = self._clock()
            open_tokens = OpenTokens(
                sum(not each.has_ended(now_ms) for each in self._pending_injections(opened)),
                sum(not each.has_ended(now_ms) for each in self._live_gateway_tokens(opened)),
            )
        return Verified(
            findings,
            self._contents(),
            is_verified=opened is not None,
            damaged=damaged,
            open_tokens=open_tokens,
        )

    def end_open_tokens(self) -> OpenTokens:
        """End pending injections, and gateway tokens: a backup lacks their later revocation.

        Returns:
            How many there were.

        Raises:
            KeyProviderError: The system data key, which signs them, cannot be opened.
        """
        return self._revoke_open_tokens(self._system_key.opened())

    def take_over(
        self, copy: Replacement, before: LiveKeys | None, *, skip_damaged: bool
    ) -> TakenOver:
        """Verify the rows of a backup, and end what it must not bring back.

        Args:
            copy: The backup; this is one of its services.
            before: The keys that granted something in the database that it replaces, if that could
                be read.
            skip_damaged: Take over damaged rows, which grant nothing.

        Raises:
            BackupDamaged: A row is not what a server wrote, or the backup is of other keys.
            NotInitialised: The backup holds no deployment.
        """
        opened = self._opened()
        if opened is None:
            damaged: tuple[DamagedRow, ...] = ()
            ended = copy.drop_open_tokens()
        else:
            damaged = self._damaged(opened, skip=skip_damaged)
            ended = self._revoke_open_tokens(opened)
            details = {"damaged": len(damaged), **ended._asdict()}
            with self._database.writing() as work:
                self._trail.commit(work, opened, Action.BACKUP_RESTORED, details=details)
        live = self._live(opened)
        return TakenOver(
            is_verified=opened is not None,
            damaged=damaged,
            ended=ended,
            live_again=tuple(key for key in live if _grant(key) not in (before or ())),
            is_compared=before is not None,
        )

    def _opened(self) -> OpenedSystemKey | None:
        """The system data key, unless no listed provider can open it at the moment."""
        try:
            return self._system_key.opened()
        except (KeyUnavailable, KeyAccessDenied, KeyDisabled, UnknownKey):
            return None

    def _damaged(self, opened: OpenedSystemKey, *, skip: bool) -> tuple[DamagedRow, ...]:
        found = self._named_damage(opened)
        if found and not skip:
            lines = ["These rows of the backup are not what a server wrote:", *map(str, found)]
            advice = "They grant nothing. To take the backup with them, use --skip-damaged."
            raise BackupDamaged("\n".join([*lines, advice]))
        return found

    def _named_damage(self, opened: OpenedSystemKey) -> tuple[DamagedRow, ...]:
        granting = damaged_rows(self._database, opened, self._clock())
        secrets = damaged_secrets(self._database, opened)
        return tuple(islice(chain(granting, secrets), NAMED_ROWS))

    def _contents(self) -> BackupContents:
        with self._database.reading() as repository:
            counts = repository.wrappings.counts()
            return BackupContents(
                secrets=repository.data_keys.count_secrets(_END_OF_TIME_MS),
                data_keys=repository.data_keys.count(),
                root_keys=tuple(NeededRootKey(*each) for each in sorted(counts.items())),
            )

    def _live(self, opened: OpenedSystemKey | None) -> Iterator[ApiKey | GatewayKey]:
        return chain(self._live_api_keys(opened), self._live_gateway_keys(opened))

    def _live_gateway_keys(self, opened: OpenedSystemKey | None) -> Iterator[GatewayKey]:
        stored = in_batches(
            self._database, lambda rows, after: rows.gateway_keys.sweep(after, BATCH)
        )
        for each in stored:
            if not isinstance(each, Guarded):
                continue
            key = each.unverified if opened is None else opened.verify_stored(each)
            if isinstance(key, GatewayKey) and key.is_live:
                yield key

    def _live_api_keys(self, opened: OpenedSystemKey | None) -> Iterator[ApiKey]:
        now_ms = self._clock()
        stored = in_batches(self._database, lambda rows, after: rows.api_keys.sweep(after, BATCH))
        for each in stored:
            if not isinstance(each, Guarded):
                continue
            key = each.unverified if opened is None else opened.verify_stored(each)
            if (
                isinstance(key, ApiKey)
                and key.is_live(now_ms)
                and self._has_live_issuers(key, opened)
            ):
                yield key

    def _has_live_issuers(self, key: ApiKey, opened: OpenedSystemKey | None) -> bool:
        if opened is None:
            return True
        with self._database.reading() as repository:
            return live_issuers(repository, opened, key, self._clock()) is not None

    def _revoke_open_tokens(self, opened: OpenedSystemKey) -> OpenTokens:
        now_ms = self._clock()

        def end_injection(work: UnitOfWork, injection: Injection) -> None:
            ended = replace(injection, state=InjectionState.REVOKED, nonce_digest=None)
            work.injections.replace(opened.guard(ended))

        def end_token(work: UnitOfWork, token: GatewayToken) -> None:
            ended = replace(token, state=TokenState.REVOKED, revoked_at_ms=now_ms)
            work.gateway_tokens.replace(opened.guard(ended))

        return OpenTokens(
            self._end(opened, self._pending_injections(opened), end_injection),
            self._end(opened, self._live_gateway_tokens(opened), end_token),
        )

    def _end(
        self, opened: OpenedSystemKey, rows: Iterator[R], end: Callable[[UnitOfWork, R], None]
    ) -> int:
        """End rows in transactions of up to 200. Returns their number."""
        ended = 0
        while batch := list(islice(rows, BATCH)):
            with self._database.writing() as work:
                for row in batch:
                    end(work, row)
                self._trail.commit(work, opened, Action.TOKENS_ENDED, *(row.id for row in batch))
            ended += len(batch)
        return ended

    def _live_gateway_tokens(self, opened: OpenedSystemKey) -> Iterator[GatewayToken]:
        stored = in_batches(
            self._database, lambda rows, after: rows.gateway_tokens.sweep(after, BATCH)
        )
        for each in stored:
            token = opened.verify_stored(each)
            if isinstance(token, GatewayToken) and token.state is TokenState.LIVE:
                yield token

    def _pending_injections(self, opened: OpenedSystemKey) -> Iterator[Injection]:
        stored = in_batches(self._database, lambda rows, after: rows.injections.sweep(after, BATCH))
        for each in stored:
            injection = opened.verify_stored(each)
            if isinstance(injection, Injection) and injection.state is InjectionState.PENDING:
                yield injection


def _grant(key: ApiKey | GatewayKey) -> tuple[str, str, bytes]:
    """By what a live key is known: with the token from before a rotation it is another one."""
    return key.account_id if isinstance(key, ApiKey) else "", key.id, key.token_digest
