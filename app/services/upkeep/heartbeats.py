"""Heartbeats: a worker reports that it is alive, and which root keys it can use.

Each heartbeat commits a row, so it is also the proof that the disk still takes writes. Between two
of them the worker looks if fences changed, and answers a change at once: a retirement waits for it.
It also notices there that the database was closed.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from app.domain.errors import DomainError, Moved
from app.domain.ids import WORKER, new_id
from app.domain.operations.workers import LIVE_S, Worker
from app.repository.base import Database
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.keys.system_key import SystemKey
from backends.errors import KeyProviderError
from backends.keyring.keyring import Keyring

LOOK_S = 2.0
"""Seconds from one look for fences to the next."""
BEAT_S = 20.0
"""Seconds from one heartbeat to the next."""

_FORGOTTEN_MS = 60 * 60 * 1000  # rows of workers that were killed stay so long, for an operator
_LONGEST_NODE = 255

_LOG = logging.getLogger("strongroom.worker")


@dataclass(eq=False, repr=False)
class Heartbeats:
    """The heartbeats of one worker.

    Args:
        node: Host name and process id, for people.
        clock: Seconds that never go back.

    Attributes:
        is_closed: The deployment was moved to another database, as far as this worker looked.
    """

    _database: Database
    _keyring: Keyring
    _system_key: SystemKey
    _node: str
    _clock: Callable[[], float]
    _trail: AuditTrail

    def __post_init__(self) -> None:
        self._id = new_id(WORKER)
        self._generation: int | None = None
        self._key_refs: tuple[str, ...] = ()
        self._began_at: float | None = None
        self._beat_at: float | None = None
        self._has_failed = False
        self._reported_openings = False
        self.is_closed = False

    @property
    def are_well(self) -> bool:
        """Return True if the last heartbeat was committed and is no older than a minute.

        A process that is no worker has none, and is well.
        """
        if self._began_at is None:
            return True
        last = self._began_at if self._beat_at is None else self._beat_at
        return not self._has_failed and self._clock() - last <= LIVE_S

    def look(self) -> None:
        """Send a heartbeat if one is due, or if fences changed; called every few seconds."""
        now = self._clock()
        if self._began_at is None:
            self._began_at = now
        try:
            with self._database.reading() as repository:
                generation = repository.deployment.fence_generation()
                move = repository.deployment.get_move()
            self._note_closing(is_closed=move is not None and move.is_closed)
            if self._is_due(now) or generation != self._generation:
                self._beat(generation)
        except DomainError as error:
            self._fail(error)

    def end(self) -> None:
        """Delete the row: this worker ends."""
        if self._began_at is None:
            return
        with suppress(DomainError), self._database.writing() as work:
            work.workers.remove(self._id)
            self._trail.commit_unrecorded(work, Unrecorded.HEARTBEAT)

    def _note_closing(self, *, is_closed: bool) -> None:
        if is_closed and not self.is_closed:
            _LOG.critical("database_closed", extra={"detail": Moved().operator_message})
        self.is_closed = is_closed

    def _is_due(self, now: float) -> bool:
        if self._beat_at is None or self._has_failed or now - self._beat_at >= BEAT_S:
            return True
        return not self._reported_openings and self._system_key.is_open

    def _beat(self, generation: int) -> None:
        """Commit a row that answers all fences up to this generation, or leave it to the next look.

        Providers are asked first, outside of the transaction. Where a fence came meanwhile, the row
        says so by the older generation.
        """
        if generation != self._generation or not self._system_key.opened_by:
            self._ask_providers()
        with self._database.writing() as work:
            is_newest = work.deployment.fence_generation() == generation
            if self._generation is None and not is_newest:
                return  # nothing may wait for a worker that has not said yet what it opens
            work.workers.beat(self._row(generation))
            work.workers.remove_silent(_FORGOTTEN_MS)
            self._trail.commit_unrecorded(work, Unrecorded.HEARTBEAT)
        self._succeed(generation)

    def _ask_providers(self) -> None:
        with suppress(KeyProviderError, DomainError):
            self._system_key.open_by_all()
        listed = self._keyring.listed
        statuses = [each.provider.status() for each in listed if each.role != "escrow"]
        self._key_refs = tuple(each.key_ref for each in statuses if each.key_ref is not None)

    def _row(self, generation: int) -> Worker:
        return Worker(
            id=self._id,
            node=self._node[:_LONGEST_NODE],
            key_refs=self._key_refs,
            opened_by=tuple(sorted(self._system_key.opened_by)),
            fence_generation=generation,
        )

    def _succeed(self, generation: int) -> None:
        if self._generation != generation:
            _LOG.info("keys_listed", extra={"detail": self._listed_keys()})
        elif self._has_failed:
            _LOG.info("heartbeat_again")
        self._generation = generation
        self._reported_openings = bool(self._system_key.opened_by)
        self._beat_at = self._clock()
        self._has_failed = False

    def _fail(self, error: DomainError) -> None:
        if not self._has_failed:
            _LOG.error("heartbeat_failed", extra={"detail": error.operator_message})
        self._has_failed = True

    def _listed_keys(self) -> str:
        listed = ", ".join(self._key_refs) or "unknown yet"
        opened_by = ", ".join(sorted(self._system_key.opened_by)) or "none"
        return f"listed: {listed}; the system data key is opened by: {opened_by}"
