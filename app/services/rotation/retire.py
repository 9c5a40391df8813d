"""Retire: give up the wrappings of one root key, when nothing depends on them any more.

It is fenced first, in a transaction of its own: from then on no node can add a wrapping by it,
whatever its settings say. Only then is counted, and only then deleted. The fence is of the root key
as a whole, for a root key that is rotated wraps under another key_ref; only where the keyring goes
on with a newer version of it, the fence is of the old version alone.

A worker on an old setting loses nothing then, but serves no more. So every live worker is waited
for until it knows the fence, and each must have opened the system data key by something else.

What counts as another wrapping is shown on the system data key: a provider that owns wrappings may
open none, because it is down, or its root key is disabled or waits for its deletion.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey
from app.domain.audit.actions import Action
from app.domain.errors import DomainError
from app.domain.operations.workers import Worker
from app.repository.base import Database, UnitOfWork
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.keys.system_key import SystemKey
from app.services.keys.usable import find_stranded, usable_root_keys
from app.services.rotation.progress import Progress, RateLimiter, Report
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring, ListedProvider

BATCH = 500
LOOK_S = 0.25
"""The interval at which a retirement looks if workers know its fence, in seconds."""


def _nobody(_: Progress) -> None:
    """Report to nobody."""


class StillNeeded(DomainError):
    """Data keys would be left without a wrapping that a listed provider opens.

    Args:
        data_keys: How many.
        faults: Why wrappings by some providers do not count, and the damaged rows, one a line.
    """

    def __init__(self, data_keys: int, faults: Iterable[str]) -> None:
        refusal = (
            f"{data_keys} data keys have no other wrapping that a listed provider opens; "
            "run: strongroom keyring rewrap"
        )
        super().__init__("\n".join([refusal, *faults]))


class StillInUse(DomainError):
    """A listed provider gives the key_ref to new wrappings.

    Args:
        listed: The provider.
    """

    def __init__(self, listed: ListedProvider) -> None:
        change = "remove or replace it" if listed.role == "escrow" else "list another one before it"
        super().__init__(
            listed.says(
                f"new wrappings are made by this key. On every node {change}, or rotate the root "
                "key; then run: strongroom keyring rewrap; only then retire this key"
            )
        )


class NeededByWorkers(DomainError):
    """Live workers opened the system data key by nothing else.

    Args:
        workers: These.
    """

    def __init__(self, workers: Iterable[Worker]) -> None:
        lines = [_needed_by(each) for each in workers]
        lines.append("restart them with a setting that lists another key; then retire this one")
        super().__init__("\n".join(lines))


class UnknownKeyRef(DomainError):
    """No wrapping has this key_ref."""

    message = "No wrapping has this key_ref; see: strongroom keyring status"


class NotFenced(DomainError):
    """Nobody retired this key_ref, or that was undone."""

    message = "This key_ref is not fenced; see: strongroom keyring status"


@dataclass(frozen=True, slots=True)
class Retired:
    """The result of a retirement: the number of wrappings deleted."""

    wrappings: int


@dataclass(frozen=True, slots=True)
class Dependence:
    """The effect that a retirement would have, and the data keys in its way.

    Attributes:
        wrappings: The number that would be deleted.
        stranded_data_keys: The number that have no other wrapping that a listed provider opens.
        faults: Why wrappings by some providers do not count, and the damaged rows, one a line.
        blind_workers: Why live workers would be in its way, one sentence each.
    """

    wrappings: int
    stranded_data_keys: int
    faults: tuple[str, ...]
    blind_workers: tuple[str, ...] = ()


@dataclass(eq=False, repr=False)
class Retire:
    """Deletes the wrappings of one key_ref."""

    _database: Database
    _keyring: Keyring
    _system_key: SystemKey
    _trail: AuditTrail
    _sleep: Callable[[float], None] = time.sleep

    def run(self, key_ref: str, report: Report = _nobody) -> Retired:
        """Fence ``key_ref``, count what depends on it, and delete its wrappings.

        A retirement that was killed half-way is run again.

        Args:
            report: Called with the number of wrappings deleted, after each batch of those that were
                there at the start of this run.

        Raises:
            StillInUse: It is what new wrappings get: a fence would end all writing.
            KeyUnavailable: The first provider or an escrow key cannot tell what they get.
            StillNeeded: Data keys depend on it, which keep their wrappings; a fence of this
                retirement's own is lifted.
            NeededByWorkers: Live workers depend on it; the fence is lifted likewise.
            UnknownKeyRef: No wrapping has this key_ref, and it is not fenced.
            KeyProviderError: The system data key, by which rows are verified, cannot be opened.
        """
        name = self._name_of_fence(key_ref, self._refuse_if_in_use(key_ref))
        with self._fenced(key_ref, name) as generation:
            others = self._others(key_ref)
            self._wait_for_workers(name, generation)
            return Retired(self._delete(key_ref, name, others, report))

    def count(self, key_ref: str) -> Dependence:
        """Return the effect of a retirement, and change nothing.

        Raises:
            StillInUse: It is what new wrappings get.
            KeyUnavailable: The first provider or an escrow key cannot tell what they get.
            UnknownKeyRef: No wrapping has this key_ref.
            KeyProviderError: The system data key, by which rows are verified, cannot be opened.
        """
        name = self._name_of_fence(key_ref, self._refuse_if_in_use(key_ref))
        with self._database.reading() as repository:
            wrappings = repository.wrappings.counts().get(key_ref)
        if wrappings is None:
            raise UnknownKeyRef
        _, stranded, faults = self._dependence(key_ref)
        blind = [each for each in self._live_workers() if not self._has_other(each.key_refs, name)]
        return Dependence(wrappings, stranded, faults, tuple(map(_needed_by, blind)))

    def undo(self, key_ref: str) -> None:
        """Lift the fence, so that wrappings by ``key_ref`` can be added again.

        Args:
            key_ref: What was retired, or the name of its root key, as it is fenced.

        Raises:
            NotFenced: There is none.
            KeyProviderError: The system data key, by which records are covered, cannot be opened.
        """
        opened = self._system_key.opened()
        if not self._lift_fences(opened, {key_ref, self._keyring.root_of(key_ref)}):
            raise NotFenced

    def _refuse_if_in_use(self, key_ref: str) -> Iterable[str]:
        """Return the key_refs that new wrappings get, unless this is one."""
        self._keyring.statuses()  # until asked, a provider by an alias cannot tell what it owns
        in_use = self._keyring.wrapping()
        if key_ref in in_use:
            raise StillInUse(in_use[key_ref])
        return in_use

    def _name_of_fence(self, key_ref: str, in_use: Iterable[str]) -> str:
        """The root key, unless new wrappings are made by another version of it."""
        root = self._keyring.root_of(key_ref)
        return key_ref if root in map(self._keyring.root_of, in_use) else root

    def _lift_fences(self, opened: OpenedSystemKey, names: Iterable[str]) -> bool:
        with self._database.writing() as work:
            lifted = [name for name in names if work.wrappings.lift_fence(name)]
            self._commit(work, opened, Action.KEYRING_UNFENCED, lifted)
        return bool(lifted)

    @contextmanager
    def _fenced(self, key_ref: str, name: str) -> Iterator[int]:
        """Set the fence and give its generation; what is refused then lifts a fence of its own."""
        opened = self._system_key.opened()
        with self._database.writing() as work:
            if not {key_ref, name} & {*work.wrappings.counts(), *work.wrappings.fences()}:
                raise UnknownKeyRef
            is_new = work.wrappings.fence(name)
            generation = work.deployment.fence_generation()
            self._commit(work, opened, Action.KEYRING_FENCED, [name] if is_new else [])
        try:
            yield generation
        except (StillNeeded, NeededByWorkers, KeyProviderError, KeyboardInterrupt):
            if is_new:
                self._lift_fences(opened, {name})
            raise

    def _live_workers(self) -> list[Worker]:
        with self._database.reading() as repository:
            return [each.worker for each in repository.workers.all() if each.is_live]

    def _wait_for_workers(self, name: str, generation: int) -> None:
        """Wait until every live worker knows the fence: it answers in seconds, or falls silent.

        Raises:
            NeededByWorkers: Some of them opened the system data key by nothing else.
        """
        live = self._live_workers()
        while any(each.fence_generation < generation for each in live):
            self._sleep(LOOK_S)
            live = self._live_workers()
        self._refuse_if_needed(live, name)

    def _refuse_if_needed(self, live: Iterable[Worker], name: str) -> None:
        needing = [each for each in live if not self._has_other(each.opened_by, name)]
        if needing:
            raise NeededByWorkers(needing)

    def _has_other(self, key_refs: Iterable[str], name: str) -> bool:
        """Return whether one of these is neither fenced by this name nor a version of it."""
        return any(name not in {ref, self._keyring.root_of(ref)} for ref in key_refs)

    def _others(self, key_ref: str) -> frozenset[str]:
        """By what else every data key can be opened now.

        Raises:
            StillNeeded: There is one that cannot.
        """
        others, stranded, faults = self._dependence(key_ref)
        if stranded:
            raise StillNeeded(stranded, faults)
        return others

    def _dependence(self, key_ref: str) -> tuple[frozenset[str], int, tuple[str, ...]]:
        """Return the other usable key_refs, the number of stranded data keys, and all faults."""
        opened = self._system_key.opened()
        usable = usable_root_keys(self._database, self._keyring, opened)
        others = usable.key_refs - {key_ref}
        stranded = find_stranded(self._database, opened, key_ref, others)
        damaged = tuple(f"damaged: {row}" for row in stranded.damaged)
        return others, stranded.data_keys, usable.faults + damaged

    def _delete(self, key_ref: str, name: str, others: frozenset[str], report: Report) -> int:
        """Delete in small units; each looks again at what it is about to delete."""
        with self._database.reading() as repository:
            total = repository.wrappings.counts().get(key_ref, 0)
        limiter = RateLimiter(total, None, report, unit="wrappings")
        opened = self._system_key.opened()
        while True:
            with self._database.writing() as work:
                stranded = work.wrappings.count_stranded(key_ref, sorted(others))
                if stranded:
                    raise StillNeeded(stranded, ())
                live = [each.worker for each in work.workers.all() if each.is_live]
                self._refuse_if_needed(live, name)
                batch = work.wrappings.remove_all(key_ref, BATCH)
                removed = [key_ref] if batch else []
                self._commit(work, opened, Action.KEYRING_RETIRED, removed, wrappings=batch)
            if not batch:
                return limiter.progress().changed
            limiter.step(done=batch, changed=batch, reasons=Counter())

    def _commit(
        self,
        work: UnitOfWork,
        opened: OpenedSystemKey,
        action: Action,
        root_keys: Sequence[str],
        **counts: int,
    ) -> None:
        """Record what was done about root keys, if anything was, and commit."""
        if root_keys:
            details = {"root_keys": root_keys, **counts}
            self._trail.commit(work, opened, action, details=details)
        else:
            self._trail.commit_unrecorded(work, Unrecorded.NOTHING_CHANGED)


def _needed_by(worker: Worker) -> str:
    """Say that a worker needs the key, with its node escaped if it cannot be printed."""
    node = worker.node if worker.node.isprintable() else ascii(worker.node)
    return f"the worker {node} opens the system data key by nothing else"
