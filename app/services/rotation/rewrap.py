"""Rewrap: every data key gets a current wrapping by the first provider and every escrow key.

Values and data keys stay as they are. The wrappings themselves show what was done, so a sweep
that was killed is simply run again. Providers are asked outside transactions; what is stored is
compared with what was read.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.data_keys import VerifiedDataKey
from app.repository.base import Conflict, Database, UnitOfWork
from app.services.audit.trail import AuditTrail
from app.services.keys.failure_reasons import FailureReason
from app.services.keys.sweep import batches
from app.services.keys.system_key import SystemKey
from app.services.rotation.new_wrappings import NewWrappings, Recorded, Rewrapped
from app.services.rotation.progress import Progress, RateLimiter, Report
from backends.keyring.keyring import Keyring, ListedProvider
from backends.keyring.rewrapping import rewrap


class Rewrap:
    """The sweep over all data keys."""

    def __init__(
        self, database: Database, keyring: Keyring, system_key: SystemKey, trail: AuditTrail
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._system_key = system_key
        self._trail = trail

    def run(self, report: Report, *, rate: float | None = None, dry_run: bool = False) -> Progress:
        """Rewrap every stale data key.

        Args:
            report: Called after each batch.
            rate: Data keys to rewrap a second at most; ``None`` for no bound.
            dry_run: Only count what is stale.

        Raises:
            KeyUnavailable: The first provider or an escrow key cannot tell its current key_ref.
            KeyProviderConfigError: The root key that new wrappings would be made by was retired.
        """
        targets = self._keyring.wrapping()
        with self._database.reading() as repository:
            total = repository.data_keys.count()
            to_do = repository.data_keys.count_incomplete([*targets])
        limiter = RateLimiter(total, rate, report, to_do=to_do)
        opened = self._system_key.opened()
        for batch in batches(self._database, opened, limit=limiter.limit):
            stale = {ref: _without(batch.keys, ref) for ref in targets}
            worked = changed = len({key.record.id for keys in stale.values() for key in keys})
            if not dry_run:
                limiter.wait(worked)
            reasons = Counter() if dry_run else self._rewrap(opened, targets, stale)
            changed -= reasons.total()
            reasons[FailureReason.ROW_EDITED] += len(batch.damaged)
            limiter.step(
                done=batch.size,
                worked=worked,
                changed=changed,
                reasons=reasons,
                damaged=batch.damaged,
            )
        return limiter.progress()

    def _rewrap(
        self,
        opened: OpenedSystemKey,
        targets: dict[str, ListedProvider],
        stale: dict[str, list[VerifiedDataKey]],
    ) -> Counter[FailureReason]:
        """Make and store what is missing. Returns why data keys still lack a wrapping."""
        self._system_key.require_proof()
        recorded = Recorded(self._trail, opened, Action.KEYRING_REWRAPPED)
        new = NewWrappings(self._keyring, targets, recorded)
        for ref, keys in stale.items():
            new.take(keys, rewrap(self._keyring, targets[ref].provider, keys))
        new.store(self._database, partial(_store, opened))
        return Counter(new.failed.values())


def _store(opened: OpenedSystemKey, work: UnitOfWork, new: Rewrapped) -> bool:
    """Add the wrapping, or return False if another node did."""
    try:
        work.wrappings.add(opened.guard(new.wrapping))
    except Conflict:
        return False
    for older in new.replaced:
        work.wrappings.remove(older)
    return True


def _without(keys: Sequence[VerifiedDataKey], key_ref: str) -> list[VerifiedDataKey]:
    return [key for key in keys if key_ref not in {each.key_ref for each in key.wrappings}]
