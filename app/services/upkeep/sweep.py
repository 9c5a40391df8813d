"""The sweep: deletes what has ended, and counts what each account holds.

It goes over all accounts, one after the other, in steps of a few milliseconds: a read of at most
1,000 rows, or a transaction that deletes at most 100. Between steps it lets writers in, and of each
second it works for a twentieth. A lease in the database keeps it to one process at a time.
"""

from collections.abc import Callable, Iterator

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.key_lives import KeyEndings
from app.domain.audit.actions import Action
from app.domain.guarded import Guarded
from app.domain.ids import new_id
from app.domain.life import CLOCK_TOLERANCE_MS
from app.domain.operations.usage import CountedTable, CountedUsage, Usage
from app.repository.base import Database, Repository, UnitOfWork
from app.repository.collections.batches import Position
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.clock import SteadyClock
from app.services.idempotency import RESPONSE_TTL_MS
from app.services.keys.system_key import SystemKey
from app.services.rows.limits import total
from app.services.upkeep.retention import DELETED_AT_ONCE, Retention
from backends.lifetime import Seconds

TICK_SECONDS = 1.0
"""Seconds from one call of ``run`` to the next."""

WORK_SECONDS = 0.05
"""For how long one run works, but for its last step."""

PAUSE_SECONDS = 60.0
"""From the end of one pass over all accounts to the start of the next."""

LEASE_MS = 60_000
_LEASE = "sweep"
_ACCOUNTS = 100
_ROWS = 1000
_SECRETS = 10  # each may have a hundred versions
_COUNTS = 100
_COUNT_LASTS_MS = 60 * 60 * 1000


class Sweep:
    """A pass over all accounts now and then, a little of it with each run.

    Args:
        age: Seconds that never go back.
    """

    def __init__(
        self,
        database: Database,
        system_key: SystemKey,
        retention: Retention,
        clock: SteadyClock,
        age: Seconds,
        trail: AuditTrail,
    ) -> None:
        self._database = database
        self._system_key = system_key
        self._trail = trail
        self._retention = retention
        self._clock = clock
        self._age = age
        self._holder = new_id("sweep")
        self._due = 0.0
        self._renew_due = 0.0
        self._steps: Iterator[None] | None = None
        self._is_first_pass = True

    def run(self) -> None:
        """Go on with the pass, or begin one if it is time and no other process does.

        Raises:
            StorageUnavailable: The database is busy or down; the next pass begins from the start.
        """
        if self._steps is None and self._age() < self._due:
            return
        steps, self._steps = self._steps, None
        self._due = self._age() + PAUSE_SECONDS
        if not self._holds_lease():
            return
        self._steps = self._work_on(steps or self._all_accounts())
        if self._steps is None:
            self._give_up_lease()

    def _work_on(self, steps: Iterator[None]) -> Iterator[None] | None:
        """Take steps until the time is over. Returns the remaining ones."""
        until = self._age() + WORK_SECONDS
        for _ in steps:
            if self._age() >= until:
                return steps
        return None

    def _holds_lease(self) -> bool:
        """Return True if this process has the lease, or takes it now."""
        if self._age() < self._renew_due:
            return True
        now_ms = self._clock.now_ms()
        with self._database.writing() as work:
            is_held = work.leases.take(_LEASE, self._holder, now_ms, now_ms + LEASE_MS)
            if is_held:
                self._trail.commit_unrecorded(work, Unrecorded.LEASE)
        self._renew_due = self._age() + LEASE_MS / 2000 if is_held else 0.0
        return is_held

    def _give_up_lease(self) -> None:
        self._renew_due = 0.0
        with self._database.writing() as work:
            work.leases.give_up(_LEASE, self._holder)
            self._trail.commit_unrecorded(work, Unrecorded.LEASE)

    def _all_accounts(self) -> Iterator[None]:
        counts: dict[str, CountedUsage] = {}
        after: str | None = None
        while True:
            with self._database.reading() as repository:
                ids = repository.accounts.ids(after, _ACCOUNTS)
            for account_id in ids:
                yield from self._delete_ended(account_id)
                yield from self._count(account_id, counts)
                if len(counts) >= _COUNTS:
                    self._file(counts)
            yield
            if len(ids) < _ACCOUNTS:
                break
            after = ids[-1]
        self._file(counts)
        self._is_first_pass = False

    def _delete_ended(self, account_id: str) -> Iterator[None]:
        """Delete, in transactions of at most 100 rows each, what has ended."""
        yield from self._end_responses_of_the_future(account_id)
        yield from self._repeat(
            (account_id, "stored_responses"),
            lambda repository: repository.stored_responses.has_expired(
                account_id, self._earliest_ms
            ),
            lambda work: work.stored_responses.delete_expired(
                account_id, self._earliest_ms, DELETED_AT_ONCE
            ),
        )
        yield from self._repeat(
            (account_id, "injections"),
            lambda repository: repository.injections.has_ended(
                account_id, self._retention.until_ms
            ),
            lambda work: self._retention.delete_injections(work, account_id),
        )
        yield from self._delete_gateway_rows(account_id)
        yield from self._delete_old_versions(account_id)
        yield from self._delete_dead_keys(account_id)

    def _delete_gateway_rows(self, account_id: str) -> Iterator[None]:
        yield from self._repeat(
            (account_id, "gateway_tokens"),
            lambda repository: repository.gateway_tokens.has_ended(
                account_id, self._retention.until_ms
            ),
            lambda work: self._retention.delete_gateway_tokens(work, account_id),
        )
        yield from self._repeat(
            (account_id, "gateway_uses"),
            lambda repository: repository.gateway_uses.has_ended(
                account_id, self._retention.until_ms
            ),
            lambda work: self._retention.delete_gateway_uses(work, account_id),
        )

    def _delete_old_versions(self, account_id: str) -> Iterator[None]:
        yield from self._repeat(
            (account_id, "secret_versions"),
            lambda repository: repository.secret_versions.has_older(
                account_id, self._retention.versions_until_ms
            ),
            lambda work: self._retention.delete_versions(work, account_id),
        )
        # Each update keeps to the number that its process knows, which a start may have lowered.
        if self._is_first_pass:
            yield from self._delete_surplus_versions(account_id)

    def _delete_surplus_versions(self, account_id: str) -> Iterator[None]:
        opened = self._system_key.opened()
        after: str | None = None
        while True:
            with self._database.reading() as repository:
                surplus = repository.secret_versions.surplus(
                    account_id, self._retention.version_count, after, _ROWS
                )
            yield
            for start in range(0, len(surplus.below), _SECRETS):
                with self._database.writing() as work:
                    deleted = sum(
                        work.secret_versions.delete_below(account_id, secret_id, version)
                        for secret_id, version in surplus.below[start : start + _SECRETS]
                    )
                    self._commit(work, opened, (account_id, "secret_versions"), deleted)
                yield
            after = surplus.after
            if after is None:
                return

    def _end_responses_of_the_future(self, account_id: str) -> Iterator[None]:
        """Give responses an hour from now that a clock gave longer, before it was set back.

        They are not repeated, and forgetting them at once would have a retry done twice.
        """

        def until_ms() -> int:
            return self._clock.read().latest_ms + RESPONSE_TTL_MS

        yield from self._repeat(
            (account_id, "stored_responses"),
            lambda repository: repository.stored_responses.has_later(
                account_id, until_ms() + CLOCK_TOLERANCE_MS
            ),
            lambda work: work.stored_responses.end_later(
                account_id, until_ms() + CLOCK_TOLERANCE_MS, until_ms(), DELETED_AT_ONCE
            ),
        )

    @property
    def _earliest_ms(self) -> int:
        return self._clock.read().earliest_ms

    def _repeat(
        self,
        of: tuple[str, str],
        is_due: Callable[[Repository], bool],
        delete: Callable[[UnitOfWork], int],
    ) -> Iterator[None]:
        """Delete in one transaction after the other; no transaction where nothing is due.

        Args:
            of: The account, and the table.
        """
        opened = self._system_key.opened()
        while True:
            with self._database.reading() as repository:
                if not is_due(repository):
                    return
            with self._database.writing() as work:
                deleted = delete(work)
                self._commit(work, opened, of, deleted)
            yield
            if deleted < DELETED_AT_ONCE:
                return

    def _delete_dead_keys(self, account_id: str) -> Iterator[None]:
        """Delete API keys that ended before the retention and made nothing that is still there."""
        endings = KeyEndings(self._retention.until_ms)
        after: Position | None = None
        while True:
            with self._database.reading() as repository:
                batch = repository.api_keys.page(account_id, after, DELETED_AT_ONCE)
            endings.add(row.unverified for row in batch.rows if isinstance(row, Guarded))
            yield
            if batch.after is None:
                break
            after = batch.after
        dead, opened = endings.unneeded(), self._system_key.opened()
        for start in range(0, len(dead), DELETED_AT_ONCE):
            some = dead[start : start + DELETED_AT_ONCE]
            with self._database.writing() as work:
                deleted = work.api_keys.delete_unused(account_id, some)
                self._commit(work, opened, (account_id, "api_keys"), deleted)
            yield

    def _commit(
        self, work: UnitOfWork, opened: OpenedSystemKey, of: tuple[str, str], rows: int
    ) -> None:
        """Record how many rows of an account's table were swept, if any were, and commit."""
        account_id, table = of
        if rows:
            details = {"table": table, "rows": rows}
            self._trail.commit(
                work, opened, Action.ROWS_SWEPT, account_id=account_id, details=details
            )
        else:
            self._trail.commit_unrecorded(work, Unrecorded.NOTHING_CHANGED)

    def _count(self, account_id: str, counts: dict[str, CountedUsage]) -> Iterator[None]:
        """Count what an account holds; ``counts`` gets what is worth filing."""
        counted_at_ms = self._clock.now_ms()
        usage = Usage()
        for table in CountedTable:
            after: Position | None = None
            while True:
                with self._database.reading() as repository:
                    tally = repository.usage.tally(account_id, table, after, _ROWS)
                usage = total(usage, table.usage(tally.rows, tally.bytes))
                yield
                if tally.after is None:
                    break
                after = tally.after
        with self._database.reading() as repository:
            filed = repository.usage.get(account_id)
        if filed is None or filed.usage != usage or _is_old(filed, counted_at_ms):
            counts[account_id] = CountedUsage(usage, counted_at_ms)

    def _file(self, counts: dict[str, CountedUsage]) -> None:
        if counts:
            with self._database.writing() as work:
                for account_id, counted in counts.items():
                    work.usage.put(account_id, counted)
                self._trail.commit_unrecorded(work, Unrecorded.COUNTS)
            counts.clear()


def _is_old(filed: CountedUsage, now_ms: int) -> bool:
    return not 0 <= now_ms - filed.counted_at_ms < _COUNT_LASTS_MS
