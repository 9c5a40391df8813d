"""The witness: remembers what this process committed, and notices when the database forgets it.

A count that is lower than one that was committed says that records are gone together with their
counter, or that an older database was put in place. Blocks prove the same for what was sealed; the
witness knows of the rest.
"""

import logging
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from app.repository.base import Database

LIMIT = 4096
"""The number of lanes that a process remembers."""

_LOG = logging.getLogger("strongroom.audit")

Lane = tuple[str, int]
"""An account, and the number of one of its lanes."""


class RolledBack(NamedTuple):
    """A lane whose count is lower than this process committed it."""

    account_id: str
    lane: int
    committed: int
    found: int


class Witness:
    """The highest count that this process committed, for each of the lanes that it used last.

    Attributes:
        committed: The counts.
    """

    def __init__(self) -> None:
        self.committed: OrderedDict[Lane, int] = OrderedDict()
        self._lock = Lock()
        self._found: list[RolledBack] = []

    def note(self, account_id: str, lane: int, n: int) -> None:
        """Remember a count that was committed."""
        key = (account_id, lane)
        with self._lock:
            if n > self.committed.get(key, 0):
                self.committed[key] = n
            self.committed.move_to_end(key)
            if len(self.committed) > LIMIT:
                self.committed.popitem(last=False)

    def accuse(self, account_id: str, lane: int, found: int) -> None:
        """Report a lane that had a lower count than was committed; from now on it counts from it.

        Args:
            found: The count that was found, without any that is under way.
        """
        with self._lock:
            committed = self.committed.get((account_id, lane), 0)
            if found >= committed:  # another thread was first
                return
            self.committed[account_id, lane] = found
            if len(self._found) < LIMIT:
                self._found.append(RolledBack(account_id, lane, committed, found))
        about = {"account_id": account_id, "lane": lane, "committed": committed, "found": found}
        _LOG.critical("audit_rolled_back", extra=about)

    def compare(self, database: Database) -> None:
        """Compare all counts with those in the database."""
        with self._lock:
            remembered = dict(self.committed)
        of_account: dict[str, dict[int, int]] = {}
        for (account_id, lane), committed in remembered.items():
            of_account.setdefault(account_id, {})[lane] = committed
        for account_id, lanes in of_account.items():
            with database.reading() as repository:
                counts = repository.audit_events.counts(account_id)
            found = {each.lane: each.n for each in counts}
            for lane, committed in lanes.items():
                if found.get(lane, 0) < committed:
                    self.accuse(account_id, lane, found.get(lane, 0))

    def take_found(self, limit: int) -> list[RolledBack]:
        """Return up to ``limit`` findings that were not returned yet."""
        with self._lock:
            found, self._found = self._found[:limit], self._found[limit:]
        return found

    def put_back(self, found: list[RolledBack]) -> None:
        """Have findings returned again that could not be recorded."""
        with self._lock:
            self._found = found + self._found
