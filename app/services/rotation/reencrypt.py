"""Re-encrypt: every value gets a new data key, and the old data keys go.

The start of the job is stored with the deployment: a job that was killed, or that an outage
interrupted, goes on from it when run again, from any node. Every older data key is replaced.
A MAC covers it, as an earlier one would spare the data keys made since. So would that of a job
which ended, put back: it is passed over, for no data key of it exists.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.crypto.opened_key import OpenedKey
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action
from app.domain.data_keys import DataKeyRow, VerifiedDataKey
from app.domain.errors import StorageUnavailable, TamperedRow
from app.domain.life import has_begun
from app.domain.operations.reencryption import Reencryption
from app.repository.base import Database
from app.services.audit.trail import AuditTrail
from app.services.clock import Clock
from app.services.keys.data_keys import DataKeys
from app.services.keys.failure_reasons import FailureReason, counted, failure_reason_of
from app.services.keys.sweep import Batch, batches
from app.services.keys.system_key import SystemKey
from app.services.rotation.prefetch import Prefetch
from app.services.rotation.progress import NAMED_ROWS, Progress, RateLimiter, Report
from app.services.rotation.sealed_rows import CurrentValues, OldVersions, R, SealedRows
from backends.errors import DecryptionError, KeyProviderError

BATCH = 100
OPENED_AT_ONCE = 200

_DAMAGE = {FailureReason.KEY_UNREADABLE, FailureReason.VALUE_UNREADABLE, FailureReason.ROW_EDITED}
"""Reasons that running the job again would not change."""


@dataclass(eq=False, repr=False)
class Reencrypt:
    """The sweep over all values that an old data key sealed."""

    _database: Database
    _data_keys: DataKeys
    _ahead: Prefetch
    _system_key: SystemKey
    _clock: Clock
    _trail: AuditTrail

    def unfinished(self) -> int | None:
        """Return the start of the job that ``run`` goes on with, in Unix milliseconds, or ``None``.

        Raises:
            TamperedRow: The job is not one that this server filed.
        """
        with self._database.reading() as repository:
            job = repository.deployment.get_reencryption()
        if job is None:
            return None
        started_ms = self._system_key.opened().verify(job).started_ms
        return started_ms if self._has_old_keys(started_ms) else None

    def run(
        self,
        report: Report,
        *,
        rate: float | None = None,
        dry_run: bool = False,
        restart: bool = False,
    ) -> Progress:
        """Seal again every value that was sealed under a data key from before the job's start.

        Old data keys are deleted at the very end. One with a value that does not open stays, with
        that value. A request that took a key before its turn may still seal under it: either its
        value is sealed again in a second pass, or it comes too late for its key and is refused, to
        be sent again.

        Args:
            report: Called with the number of values done, after each batch of them. They are those
                that the job had yet to do at the start of this run.
            rate: Values to seal again a second at most, where making a data key counts as one;
                ``None`` for no bound.
            dry_run: Only count.
            restart: Replace the data keys from before now, whatever job has not ended.

        Returns:
            What became of the data keys.

        Raises:
            TamperedRow: The job to go on with is not one that this server filed.
        """
        started_ms = None if restart else self.unfinished()
        if started_ms is None:
            started_ms = self._start(dry_run=dry_run)
        old = self._old_keys(started_ms)
        reasons = Counter({FailureReason.ROW_EDITED: len(old.damaged)})
        damaged = tuple(old.damaged[:NAMED_ROWS])
        if not dry_run:
            limiter = self._limiter(started_ms, rate, report)
            limiter.step(done=0, changed=0, reasons=reasons, damaged=old.damaged)
            reasons += self._replace_all(old, limiter)
            damaged = limiter.progress().damaged
        total = len(old.keys) + len(old.damaged)
        changed = total - reasons.total()
        return Progress(total, total, total, changed, reasons, 0, damaged=damaged)

    def _start(self, *, dry_run: bool) -> int:
        """File a job that starts now, unless in a dry run. Returns its start."""
        started_ms = self._clock()
        if dry_run:
            return started_ms
        opened = self._system_key.opened()
        with self._database.writing() as work:
            work.deployment.start_reencryption(opened.guard(Reencryption(started_ms)))
            self._trail.commit(work, opened, Action.REENCRYPTION_STARTED)
        return started_ms

    def _end(self) -> None:
        opened = self._system_key.opened()
        with self._database.writing() as work:
            work.deployment.end_reencryption()
            self._trail.commit(work, opened, Action.REENCRYPTION_ENDED)

    def _has_old_keys(self, started_ms: int) -> bool:
        return any(
            _is_old(key.record, started_ms, self._clock())
            for batch in batches(self._database, self._system_key.opened())
            for key in batch.keys
        )

    def _old_keys(self, started_ms: int) -> Batch:
        """Return the data keys to replace, and the rows because of which others cannot be."""
        old = Batch([], [])
        for batch in batches(self._database, self._system_key.opened()):
            old.damaged.extend(batch.damaged)
            old.keys.extend(
                key for key in batch.keys if _is_old(key.record, started_ms, self._clock())
            )
        return old

    def _limiter(self, started_ms: int, rate: float | None, report: Report) -> RateLimiter:
        with self._database.reading() as repository:
            total = repository.data_keys.count_secrets(started_ms)
            total += repository.secret_versions.count_under(started_ms)
        return RateLimiter(total, rate, report, unit="values")

    def _replace_all(self, old: Batch, limiter: RateLimiter) -> Counter[FailureReason]:
        """Replace the old data keys and delete them. Returns why some remain."""
        for _, cause in self._replace_each(old.keys, limiter):
            limiter.step(done=0, changed=0, reasons=counted(cause))
        return self._finish(old.keys, limiter)

    def _replace_each(
        self, keys: Sequence[VerifiedDataKey], limiter: RateLimiter
    ) -> Iterator[tuple[VerifiedDataKey, FailureReason | None]]:
        """Replace data keys in batches. Yields each, with why some values were not sealed."""
        size = min(OPENED_AT_ONCE, limiter.limit)
        for start in range(0, len(keys), size):
            batch = keys[start : start + size]
            refusals = self._ahead.open(batch)
            for key, refusal in zip(batch, refusals, strict=True):
                yield key, self._replace(key.record, refusal, limiter)

    def _replace(
        self, record: DataKeyRow, refusal: KeyProviderError | None, limiter: RateLimiter
    ) -> FailureReason | None:
        """Seal all values of one data key under the active one. Returns why some were not.

        Args:
            refusal: Why it does not open: no hindrance where it seals nothing.
        """
        limiter.wait(1)
        try:
            self._data_keys.replace_active(record)
            with self._data_keys.open_active(record.account_id) as active:
                complete = self._reseal_all(record, refusal, active, limiter)
        except (KeyProviderError, TamperedRow, StorageUnavailable) as error:
            return failure_reason_of(error)
        return None if complete else FailureReason.VALUE_UNREADABLE

    def _reseal_all(
        self,
        record: DataKeyRow,
        refusal: KeyProviderError | None,
        active: OpenedKey,
        limiter: RateLimiter,
    ) -> bool:
        """Seal all values of one data key under the active one. Returns whether all opened.

        Old versions come last: while secrets are sealed again, an update may archive one.
        """
        old_versions = OldVersions(self._system_key.opened())
        current = self._reseal(record, refusal, active, limiter, CurrentValues())
        return self._reseal(record, refusal, active, limiter, old_versions) and current

    def _reseal(
        self,
        record: DataKeyRow,
        refusal: KeyProviderError | None,
        active: OpenedKey,
        limiter: RateLimiter,
        rows: SealedRows[R],
    ) -> bool:
        """Seal the values of one kind of rows. Returns whether all opened."""
        limit = min(BATCH, limiter.limit)
        after: R | None = None
        complete = True
        while True:
            with self._database.reading() as repository:
                stored = repository.data_keys.get(record.account_id, record.id)
                batch = rows.read(repository, record, limit, after)
            if stored is None or not batch:
                return complete
            if refusal is not None:
                raise refusal
            after = batch[-1]
            limiter.wait(len(batch))
            with self._data_keys.open(stored, record.account_id) as old:
                opened = [(row, _resealed(rows, old, active, row)) for row in batch]
            resealed = [(row, new) for row, new in opened if new is not None]
            complete = complete and len(resealed) == len(batch)
            self._store(record, rows, resealed, active.context.data_key_id)
            limiter.step(
                done=len(batch),
                changed=len(resealed),
                reasons=Counter(),
                damaged=(rows.name(row) for row, new in opened if new is None),
            )

    def _store(
        self, record: DataKeyRow, rows: SealedRows[R], resealed: Sequence[tuple[R, R]], to: str
    ) -> None:
        """Store a batch, whose values the data key ``to`` seals now."""
        if not resealed:
            return
        opened = self._system_key.opened()
        with self._database.writing() as work:
            for before, new in resealed:
                rows.write(work, before, new)
            self._trail.commit(
                work,
                opened,
                Action.SECRETS_REENCRYPTED,
                *(rows.subject(new) for _, new in resealed),
                account_id=record.account_id,
                details={"from": record.id, "to": to},
            )

    def _finish(
        self, old: Iterable[VerifiedDataKey], limiter: RateLimiter
    ) -> Counter[FailureReason]:
        """Delete the old data keys, after a second pass over those that still seal something.

        The job has ended unless what remains can be done later.

        Returns:
            The number of data keys that remain, by reason.
        """
        again = dict(self._replace_each([*self._delete_unused(old)], limiter))
        remaining = self._delete_unused(again)
        reasons = Counter(again[key] or cause for key, cause in remaining.items())
        if reasons.keys() <= _DAMAGE:
            self._end()
        return reasons

    def _delete_unused(
        self, old: Iterable[VerifiedDataKey]
    ) -> dict[VerifiedDataKey, FailureReason]:
        """Delete data keys that seal nothing any more. Returns the others."""
        remaining = {}
        opened = self._system_key.opened()
        for key in old:
            account_id, key_id = key.record.account_id, key.record.id
            try:
                with self._database.writing() as work:
                    work.data_keys.delete_unused(account_id, key_id)
                    if work.data_keys.get(account_id, key_id) is not None:
                        remaining[key] = FailureReason.STILL_IN_USE
                        continue
                    action = Action.DATA_KEY_DELETED
                    self._trail.commit(work, opened, action, key_id, account_id=account_id)
            except StorageUnavailable as error:
                remaining[key] = failure_reason_of(error)
        return remaining


def _is_old(record: DataKeyRow, started_ms: int, now_ms: int) -> bool:
    """Return whether a data key is from before the job, or from a wrong clock's future."""
    if record.account_id == SYSTEM_ACCOUNT_ID:
        return False
    return record.created_at_ms <= started_ms or not has_begun(record.created_at_ms, now_ms)


def _resealed(rows: SealedRows[R], old: OpenedKey, active: OpenedKey, row: R) -> R | None:
    """Return the row under the active data key, or ``None`` if it does not open."""
    try:
        return rows.reseal(old, active, row)
    except DecryptionError:
        return None
