"""The upkeep of the audit log in a worker: seals, writes heads into the log, watches the size.

A head that has left the host proves what was there. So the newest one goes into the log of every
worker once a minute, also when nothing was added: its time says that the log is still looked after.
"""

import logging

from app.domain.audit.kept_heads import EVENT
from app.repository.base import Database
from app.services.audit.heads import AuditHeads, SignedHead
from app.services.audit.log_end import alert
from app.services.audit.sealing import Sealer
from backends.lifetime import Seconds

AUDIT_LOOK_S = 5.0
"""Seconds from one look at the number of waiting events to the next."""

SEAL_S = 60.0
"""Seconds from one sealing to the next."""

WAITING = 4096
"""The number of waiting events from which on a sealing does not wait for its time."""

_LOG = logging.getLogger("strongroom.audit")


class AuditLogUpkeep:
    """Looks after the audit log of a deployment, in one of its workers.

    Attributes:
        waiting: The records that it does not know to be sealed; ``None`` before it looked.

    Args:
        age: Seconds that never go back.
    """

    def __init__(self, database: Database, sealer: Sealer, heads: AuditHeads, age: Seconds) -> None:
        self._database = database
        self._sealer = sealer
        self._heads = heads
        self._age = age
        self._due = 0.0
        self._counted = 0
        self.waiting: int | None = None
        self._newest: SignedHead | None = None

    def look(self) -> None:
        """Seal if it is time, or if many events wait; called every few seconds.

        Raises:
            StorageUnavailable: The database is busy or down; the next call tries again.
            KeyProviderError: No provider opens the system data key.
        """
        is_due = self._age() >= self._due
        with self._database.reading() as repository:
            count = repository.audit_log.count_events()
        self.waiting = max(0, count - self._counted)
        if not is_due and count - self._counted < WAITING:
            return
        if is_due:
            self._due = self._age() + SEAL_S  # also if it fails, or the log would have nothing else
        self._sealer.seal()
        self._counted, self.waiting = count, 0
        if is_due:
            self._write_head()

    def _write_head(self) -> None:
        """Sign the newest head for this moment, and write it into the log."""
        newest, before = self._heads.newest(sealing=False), self._newest
        if before is not None:
            with self._database.reading() as repository:
                found = repository.audit_log.head(before.size)
            if found is None or found.root != before.root:
                size = 0 if newest is None else newest.size
                alert("audit_rolled_back", f"the log had {before.size} leaves, and now has {size}")
        self._newest = newest
        if newest is not None:
            _LOG.info(EVENT, extra={"detail": newest.note})
