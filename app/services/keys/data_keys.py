"""The data keys of accounts: made when first needed, replaced when old, lent opened."""

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from app.crypto.data_key_cache import DataKeyCache
from app.crypto.opened_key import OpenedKey
from app.domain.data_keys import DataKeyRow, DataKeyState, StoredDataKey
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded
from app.domain.ids import DATA_KEY, new_id
from app.domain.life import has_begun
from app.repository.base import Conflict, Database
from app.services.clock import Clock, SteadyClock
from app.services.keys.pauses import Pauses
from app.services.keys.system_key import SystemKey, verify_data_key
from app.services.keys.wrappings import new_wrapping, refusing_retired_keys, to_wrapped_key
from backends.calls.single_flight import SingleFlight
from backends.context import KeyContext
from backends.data_key import DataKey, key_check
from backends.errors import KeyProviderError, KeyUnavailable
from backends.keyring.keyring import Keyring

_PAUSE_MS = 60_000  # until an old data key that could not be replaced is tried again
_NEW_MS = 60 * 60 * 1000  # until one is replaced again: two nodes may differ by years


class DataKeys:
    """Lends the data keys of accounts.

    Args:
        age_ms: Milliseconds that never go back.
        max_age_ms: After which an active data key is replaced, in milliseconds.
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
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._cache = cache
        self._system_key = system_key
        self._clock = clock
        self._max_age_ms = max_age_ms
        self._creations = SingleFlight[str, StoredDataKey](keyring.waiters)
        self._failed = Pauses(age_ms, _PAUSE_MS)
        self._replaced = Pauses(age_ms, _NEW_MS)

    def lend_active(self, account_id: str) -> AbstractContextManager[OpenedKey]:
        """Open the data key that seals the account's new values, for a ``with`` block.

        Raises:
            KeyProviderError: There is none yet and none can be made, or it cannot be opened.
            TamperedRow: Its row or a wrapping of it was edited.
        """
        return self.lend(self._active(account_id), account_id)

    def lend(self, stored: StoredDataKey, account_id: str) -> AbstractContextManager[OpenedKey]:
        """Open the data key of a row just read, through the cache or a provider, for a block.

        Args:
            account_id: For whom it was looked up.

        Raises:
            KeyProviderError: No provider opens it now.
            TamperedRow: Its row or a wrapping of it was edited, or it is another account's.
        """
        record = verify_data_key(self._system_key.opened(), stored)
        if record.account_id != account_id:
            raise TamperedRow(record.table, record.account_id, record.id)
        context = self._context(record.account_id, record.id)
        wrapped = [to_wrapped_key(each.unverified) for each in stored.wrappings]

        def load() -> DataKey:
            return self._keyring.unwrap(wrapped, context, record.check)

        return self._cache.lend(context, record.check, load)

    def replace_active(self, record: DataKeyRow) -> None:
        """Make a new active data key for the account, if ``record`` is its active one.

        Raises:
            KeyProviderError: No data key can be made; the old one stays active.
        """
        with self._database.reading() as repository:
            active = repository.data_keys.get_active(record.account_id)
        if active is not None and active.record.unverified.id == record.id:
            self._create(record.account_id, replaces=record)

    def _active(self, account_id: str) -> StoredDataKey:
        with self._database.reading() as repository:
            stored = repository.data_keys.get_active(account_id)
        if stored is None:
            return self._creations.share(account_id, partial(self._create, account_id, None))
        record = self._system_key.opened().verify_often(stored.record)
        if not self._is_due(record):
            return stored
        try:
            return self._creations.share(account_id, partial(self._replace, record))
        except KeyProviderError:
            return stored

    def _is_due(self, record: DataKeyRow) -> bool:
        """Whether an active data key is to be replaced, as too old or as made in the future.

        A wall clock that was just set is not believed alone: otherwise one wrong moment would
        replace the data key of every account, and the moment after it once more.
        """
        now = self._clock.read()
        is_old = now.earliest_ms - record.created_at_ms >= self._max_age_ms
        if not is_old and has_begun(record.created_at_ms, now.latest_ms):
            return False
        pauses = (self._failed, self._replaced)
        return not any(each.lasts(record.account_id) for each in pauses)

    def _replace(self, record: DataKeyRow) -> StoredDataKey:
        try:
            replaced = self._create(record.account_id, record)
        except KeyProviderError:
            self._failed.begin(record.account_id)
            raise
        self._replaced.begin(record.account_id)
        return replaced

    def _create(self, account_id: str, replaces: DataKeyRow | None) -> StoredDataKey:
        context = self._context(account_id, new_id(DATA_KEY))
        key, stored = self._generate(context)
        try:
            self._store(stored, replaces)
            self._cache.put(context, key)
        except Conflict:
            return self._winner(account_id)
        finally:
            key.wipe()
        return stored

    def _generate(self, context: KeyContext) -> tuple[DataKey, StoredDataKey]:
        self._system_key.require_proof()
        key, wrapped = self._keyring.generate(context)
        opened = self._system_key.opened()
        record = DataKeyRow(
            account_id=context.account_id,
            id=context.data_key_id,
            state=DataKeyState.ACTIVE,
            check=key_check(key, context),
            created_at_ms=self._clock.now_ms(),
        )
        wrappings = tuple(
            opened.guard(new_wrapping(each, context, self._keyring.root_of(each.key_ref)))
            for each in wrapped
        )
        return key, StoredDataKey(opened.guard(record), wrappings)

    def _store(self, stored: StoredDataKey, replaces: DataKeyRow | None) -> None:
        with refusing_retired_keys(), self._database.writing() as work:
            if replaces is not None:
                work.data_keys.replace(self._decrypt_only(replaces))
            work.data_keys.add(stored.record, stored.wrappings)
            work.commit()

    def _decrypt_only(self, record: DataKeyRow) -> Guarded[DataKeyRow]:
        return self._system_key.opened().guard(replace(record, state=DataKeyState.DECRYPT_ONLY))

    def _winner(self, account_id: str) -> StoredDataKey:
        with self._database.reading() as repository:
            stored = repository.data_keys.get_active(account_id)
        if stored is None:
            raise KeyUnavailable("The data key that won a race is gone again.")
        return stored

    def _context(self, account_id: str, data_key_id: str) -> KeyContext:
        deployment_id = self._system_key.opened().context.deployment_id
        return KeyContext(deployment_id, account_id, data_key_id)
