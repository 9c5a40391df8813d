"""The data keys of accounts: made when first needed, replaced when old, opened for a block."""

from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial

from app.crypto.data_key_cache import DataKeyCache
from app.crypto.opened_key import OpenedKey
from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.data_keys import DataKeyRow, DataKeyState, GuardedDataKey
from app.domain.errors import TamperedRow
from app.domain.ids import DATA_KEY, new_id
from app.domain.life import CLOCK_TOLERANCE_MS
from app.repository.base import Conflict, Database, UnitOfWork
from app.services.audit.trail import NO_DETAILS, AuditTrail
from app.services.clock import Clock, SteadyClock
from app.services.keys.pauses import Pauses
from app.services.keys.system_key import SystemKey
from app.services.keys.wrappings import new_data_key, refusing_retired_keys
from backends.calls.single_flight import SingleFlight
from backends.context import KeyContext
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring

_PAUSE_MS = 60_000  # until an old data key that could not be replaced is tried again
_NEW_MS = 60 * 60 * 1000  # until one is replaced again: two nodes may differ by years


class DataKeys:
    """Opens the data keys of accounts.

    Args:
        age_ms: Milliseconds that never go back.
        max_age_ms: The age at which an active data key is replaced, in milliseconds.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        cache: DataKeyCache,
        system_key: SystemKey,
        clock: SteadyClock,
        *,
        age_ms: Clock,
        max_age_ms: int,
        trail: AuditTrail,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._cache = cache
        self._system_key = system_key
        self._clock = clock
        self._max_age_ms = max_age_ms
        self._trail = trail
        self._creations = SingleFlight[str, GuardedDataKey](keyring.waiters)
        self._failed = Pauses(age_ms, _PAUSE_MS)
        self._replaced = Pauses(age_ms, _NEW_MS)

    def open_active(self, account_id: str) -> AbstractContextManager[OpenedKey]:
        """Open the data key that seals the account's new values, for a ``with`` block.

        Raises:
            KeyProviderError: There is none yet and none can be made, or it cannot be opened.
            TamperedRow: Its row or a wrapping of it was edited.
        """
        with self._database.reading() as repository:
            stored = repository.data_keys.get_active(account_id)
        if stored is None:
            stored = self._creations.share(account_id, partial(self._create, account_id, None))
        elif self._is_due(stored.record.unverified):  # verified next, in either case
            stored = self._successor(stored)
        return self.open(stored, account_id)

    def open(self, stored: GuardedDataKey, account_id: str) -> AbstractContextManager[OpenedKey]:
        """Open the data key of a row just read, through the cache or a provider, for a block.

        Args:
            account_id: The account that it was looked up for.

        Raises:
            KeyProviderError: No provider opens it now.
            TamperedRow: Its row or a wrapping of it was edited, or it is another account's.
        """
        key = self._system_key.opened().verify_data_key(stored)
        if key.record.account_id != account_id:
            raise TamperedRow(key.record.table, key.record.account_id, key.record.id)
        return self._cache.open(key.context, key.check, partial(self._keyring.unwrap, key))

    def replace_active(self, record: DataKeyRow) -> None:
        """Make a new active data key for the account, if ``record`` is its active one.

        Raises:
            KeyProviderError: No data key can be made; the old one stays active.
        """
        with self._database.reading() as repository:
            active = repository.data_keys.get_active(record.account_id)
        if active is not None and active.record.unverified.id == record.id:
            self._create(record.account_id, replaces=record)

    def _is_due(self, record: DataKeyRow) -> bool:
        """Return whether an active data key is too old, or was made in the future.

        A wall clock that was just set is not believed alone: otherwise one wrong moment would
        replace the data key of every account, and the moment after it once more.
        """
        now = self._clock.read()
        is_old = now.earliest_ms - record.created_at_ms >= self._max_age_ms
        is_ahead = record.created_at_ms - CLOCK_TOLERANCE_MS > now.latest_ms
        if not is_old and not is_ahead:
            return False
        pauses = (self._failed, self._replaced)
        return not any(each.lasts(record.account_id) for each in pauses)

    def _successor(self, stored: GuardedDataKey) -> GuardedDataKey:
        """Replace an active data key. Returns the old one where no other can be made."""
        record = self._system_key.opened().verify_often(stored.record)
        with suppress(KeyProviderError):
            return self._creations.share(record.account_id, partial(self._replace, record))
        return stored

    def _replace(self, record: DataKeyRow) -> GuardedDataKey:
        try:
            replaced = self._create(record.account_id, record)
        except KeyProviderError:
            self._failed.begin(record.account_id)
            raise
        self._replaced.begin(record.account_id)
        return replaced

    def _create(self, account_id: str, replaces: DataKeyRow | None) -> GuardedDataKey:
        opened = self._system_key.opened()
        context = KeyContext(opened.context.deployment_id, account_id, new_id(DATA_KEY))
        self._system_key.require_proof()
        key, wrapped = self._keyring.generate(context)
        try:
            now_ms = self._clock.now_ms()
            stored = new_data_key(opened, self._keyring, context, (key, wrapped), now_ms)
            with refusing_retired_keys(), self._database.writing() as work:
                if replaces is not None:
                    old = replace(replaces, state=DataKeyState.DECRYPT_ONLY)
                    work.data_keys.replace(opened.guard(old))
                work.data_keys.add(stored.record, stored.wrappings)
                self._commit(work, opened, context, replaces)
            self._cache.put(context, key)
        except Conflict:
            return self._winner(account_id)
        finally:
            key.wipe()
        return stored

    def _commit(
        self,
        work: UnitOfWork,
        opened: OpenedSystemKey,
        made: KeyContext,
        replaces: DataKeyRow | None,
    ) -> None:
        """Record a new data key, which the server makes by itself when one is needed; commit."""
        details = NO_DETAILS if replaces is None else {"replaces": replaces.id}
        self._trail.commit(
            work,
            opened,
            Action.DATA_KEY_CREATED,
            made.data_key_id,
            account_id=made.account_id,
            details=details,
        )

    def _winner(self, account_id: str) -> GuardedDataKey:
        with self._database.reading() as repository:
            stored = repository.data_keys.get_active(account_id)
        if stored is None:
            raise KeyUnavailable("The data key that won a race is gone again.")
        return stored
