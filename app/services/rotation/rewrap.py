"""Rewrap: every data key gets a current wrapping by the first provider and every escrow key.

Values and data keys stay as they are. What was done is told by the wrappings themselves, so a sweep
that was killed is simply run again. Providers are asked outside transactions; what is stored is
compared with what was read.
"""

from collections import Counter
from collections.abc import Sequence

from app.repository.base import Conflict, Database, UnitOfWork
from app.services.keys.failure_reasons import FailureReason, failure_reason_of
from app.services.keys.providers import wrapping_providers
from app.services.keys.sweep import VerifiedDataKey, batches
from app.services.keys.system_key import SystemKey
from app.services.keys.wrappings import new_wrapping, roots_of, superseded, to_wrapping
from app.services.rotation.new_wrappings import NewWrapping, store_all
from app.services.rotation.progress import Progress, RateLimiter, Report
from backends.keyring.keyring import Keyring, ListedProvider
from backends.keyring.rewrapping import rewrap
from backends.provider import WrappedKey


class Rewrap:
    """The sweep over all data keys."""

    def __init__(self, database: Database, keyring: Keyring, system_key: SystemKey) -> None:
        self._database = database
        self._keyring = keyring
        self._system_key = system_key

    def run(self, report: Report, *, rate: float | None = None, dry_run: bool = False) -> Progress:
        """Rewrap every stale data key.

        Args:
            report: Told after each batch.
            rate: Data keys to rewrap a second at most; ``None`` for no bound.
            dry_run: Only count what is stale.

        Raises:
            KeyUnavailable: The first provider or an escrow key cannot tell its current key_ref.
            KeyProviderConfigError: The root key that new wrappings would be made by was retired.
        """
        targets = wrapping_providers(self._keyring)
        with self._database.reading() as repository:
            pace = RateLimiter(repository.data_keys.count(), rate, report)
        opened = self._system_key.opened()
        for batch in batches(self._database, opened, at_most=pace.most):
            stale = {ref: _without(batch.keys, ref) for ref in targets}
            changed = len({key.record.id for keys in stale.values() for key in keys})
            if not dry_run:
                pace.wait(changed)
            causes = Counter() if dry_run else self._rewrap(targets, stale)
            changed -= causes.total()
            causes[FailureReason.ROW_EDITED] += len(batch.damaged)
            pace.step(done=batch.size, changed=changed, causes=causes, damaged=batch.damaged)
        return pace.progress()

    def _rewrap(
        self,
        targets: dict[str, ListedProvider],
        stale: dict[str, list[VerifiedDataKey]],
    ) -> Counter[FailureReason]:
        """Make and store what is missing; how many data keys still lack a wrapping, by why."""
        self._system_key.require_proof()
        new: list[NewWrapping] = []
        failed: dict[str, FailureReason] = {}
        for ref, keys in stale.items():
            target = targets[ref].provider
            closed = [key.closed for key in keys]
            answers = rewrap(self._keyring, target, closed)
            roots = roots_of(self._keyring, closed, answers)
            for key, answer in zip(keys, answers, strict=True):
                if isinstance(answer, WrappedKey):
                    older = superseded(key.closed, answer, roots, targets)
                    new.append(NewWrapping(key, answer, roots[answer.key_ref], older))
                else:
                    failed.setdefault(key.record.id, failure_reason_of(answer))
        failed |= store_all(self._database, new, self._store)
        return Counter(failed.values())

    def _store(self, work: UnitOfWork, new: NewWrapping) -> None:
        """Add the wrapping unless another node did, or the data key changed or went meanwhile."""
        record = new.key.record
        stored = work.data_keys.get(record.account_id, record.id)
        if stored is None or stored.record.unverified.check != record.check:
            return
        opened = self._system_key.opened()
        try:
            work.wrappings.add(
                opened.guard(new_wrapping(new.wrapped, new.key.closed.context, new.root))
            )
        except Conflict:
            return
        for older in new.needless:
            work.wrappings.remove(to_wrapping(older, new.key.closed.context))


def _without(keys: Sequence[VerifiedDataKey], key_ref: str) -> list[VerifiedDataKey]:
    return [key for key in keys if all(each.key_ref != key_ref for each in key.closed.wrappings)]
