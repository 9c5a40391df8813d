"""Re-encrypt: every value gets a new data key, and the old data keys go.

The start of the job is kept with the deployment: a job that was killed goes on from it when run
again, from any node, and every data key older than it is replaced.
"""

from app.domain.accounts import SYSTEM_ACCOUNT_ID
from app.domain.data_keys import DataKeyRecord
from app.domain.errors import TamperedRow
from app.domain.secrets import StoredSecret
from app.repository.base import Database
from app.services.clock import Clock
from app.services.data_keys import DataKeys, LentKey
from app.services.keyring.held_keys import batches
from app.services.keyring.progress import Pace, Progress, Report
from app.services.system_key import SystemKey
from app.services.values import open_value, seal_value
from backends.errors import DecryptionError, KeyProviderError

BATCH = 100


class Reencrypt:
    """The sweep over all values that an old data key sealed."""

    def __init__(
        self, database: Database, data_keys: DataKeys, system_key: SystemKey, clock: Clock
    ) -> None:
        self._database = database
        self._data_keys = data_keys
        self._system_key = system_key
        self._clock = clock

    def run(self, report: Report, *, rate: float | None = None, dry_run: bool = False) -> Progress:
        """Seal anew every value that was sealed under a data key from before the job's start.

        Old data keys are deleted at the very end, when no request can still be using one; a data
        key with a value that does not open stays, with that value.

        Args:
            report: Told after each data key.
            rate: Data keys a second at most; ``None`` for no bound.
            dry_run: Only count.
        """
        old = self._old_keys(self._clock() if dry_run else self._start())
        pace = Pace(len(old), rate, report)
        for record in old:
            failed = not dry_run and not self._replace(record)
            pace.step(done=1, changed=int(not failed), failed=int(failed))
        progress = pace.progress()
        if not dry_run:
            self._delete_unused(old)
            if not progress.failed:
                self._set_start(None)
        return progress

    def _start(self) -> int:
        """When the job started, or the one that it goes on with, in Unix milliseconds."""
        with self._database.reading() as repository:
            started = repository.deployment.get_reencrypt_start()
        if started is None:
            started = self._clock()
            self._set_start(started)
        return started

    def _set_start(self, started_ms: int | None) -> None:
        with self._database.writing() as work:
            work.deployment.set_reencrypt_start(started_ms)
            work.commit()

    def _old_keys(self, started_ms: int) -> list[DataKeyRecord]:
        return [
            key.record
            for batch in batches(self._database, self._system_key.opened())
            for key in batch.keys
            if key.record.account_id != SYSTEM_ACCOUNT_ID and key.record.created_at_ms <= started_ms
        ]

    def _replace(self, record: DataKeyRecord) -> bool:
        """Seal all values of one data key anew; whether all could be."""
        try:
            self._data_keys.replace_active(record)
            with self._data_keys.lend_active(record.account_id) as active:
                return self._reseal_all(record, active)
        except (KeyProviderError, TamperedRow):
            return False

    def _reseal_all(self, record: DataKeyRecord, active: LentKey) -> bool:
        after: str | None = None
        complete = True
        while True:
            with self._database.reading() as repository:
                stored = repository.data_keys.get(record.account_id, record.id)
                batch = repository.secrets.sealed_under(record.account_id, record.id, BATCH, after)
            if stored is None or not batch:
                return complete
            after = batch[-1].id
            with self._data_keys.lend(stored) as old:
                resealed = [_reseal(old, active, secret) for secret in batch]
            complete = complete and None not in resealed
            self._store(record, [secret for secret in resealed if secret is not None])

    def _store(self, record: DataKeyRecord, resealed: list[StoredSecret]) -> None:
        with self._database.writing() as work:
            for secret in resealed:
                work.secrets.reseal(secret, sealed_under=record.id)
            work.commit()

    def _delete_unused(self, old: list[DataKeyRecord]) -> None:
        for record in old:
            with self._database.writing() as work:
                work.data_keys.delete_unused(record.account_id, record.id)
                work.commit()


def _reseal(old: LentKey, active: LentKey, secret: StoredSecret) -> StoredSecret | None:
    """The same value and version under the active data key, or ``None`` if it does not open."""
    try:
        value = open_value(old, secret)
    except DecryptionError:
        return None
    return seal_value(active, secret.view(), secret.version, value)
