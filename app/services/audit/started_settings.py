"""Settings that changed since this node started last: their names, found by keyed digests.

A value is never stored, nor a hash of it that anybody could compute who guesses the value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from app.crypto.system_key import OpenedSystemKey, Purpose
from app.domain.access.accounts import SYSTEM_ACCOUNT_ID
from app.domain.audit.actions import Action
from app.domain.audit.filters import EventFilter
from app.domain.damage import DamagedRow
from app.domain.ids import new_id
from app.repository.base import Database, Repository
from app.services.audit.trail import AuditTrail, Unrecorded
from app.services.clock import Clock

_LEASE = "audit-settings"
_LEASE_MS = 60_000
_BYTES = 16  # of a digest

Digests = Mapping[str, str]


@dataclass(eq=False, repr=False)
class StartedSettings:
    """The settings with which this process started.

    Attributes:
        _node: The name of the machine.
        _texts: The value of each setting, by its name.
    """

    _database: Database
    _trail: AuditTrail
    _clock: Clock
    _node: str
    _texts: Mapping[str, str]

    def __post_init__(self) -> None:
        self._holder = new_id("start")
        self._is_done = False

    def record(self, opened: OpenedSystemKey) -> None:
        """Record once which settings differ from those of the node's last start, if any do."""
        if self._is_done:
            return
        digests = self._digests(opened)
        with self._database.writing() as work:
            now_ms = self._clock()
            if not work.leases.take(_LEASE, self._holder, now_ms, now_ms + _LEASE_MS):
                return  # another worker of some node looks now: the next time is early enough
            before = self._before(work, opened)
            work.leases.give_up(_LEASE, self._holder)
            if before == digests:
                self._trail.commit_unrecorded(work, Unrecorded.LEASE)
            else:
                names = {*digests, *before}
                changed = sorted(each for each in names if digests.get(each) != before.get(each))
                details = {"changed": changed if before else [], "digests": digests}
                self._trail.commit(
                    work, opened, Action.SETTINGS_CHANGED, self._subject, details=details
                )
        self._is_done = True

    @property
    def _subject(self) -> str:
        return f"node:{self._node}/"

    def _digests(self, opened: OpenedSystemKey) -> Digests:
        return {
            name: opened.digest(Purpose.AUDIT_SETTING, f"{name}={text}".encode())[:_BYTES].hex()
            for name, text in self._texts.items()
        }

    def _before(self, repository: Repository, opened: OpenedSystemKey) -> Digests:
        """Return the digests of the node's last start; none if there was none, or not readable."""
        wanted = EventFilter(action=Action.SETTINGS_CHANGED.value, subject=self._subject)
        batch = repository.audit_events.page(SYSTEM_ACCOUNT_ID, wanted, None, 1)
        for stored in batch.rows:
            event = opened.verify_stored(stored, SYSTEM_ACCOUNT_ID)
            if not isinstance(event, DamagedRow) and event.details is not None:
                found: Digests = json.loads(event.details).get("digests", {})
                return found
        return {}
