"""Ceilings of what an account may hold.

No write counts rows. The sweep counts an account now and then and files the result; a write adds
what this process wrote since that count began. So an account can be over a ceiling only by what
other processes wrote since the last count.
"""

from collections import deque
from dataclasses import dataclass
from functools import reduce
from threading import Lock

from cachetools import LRUCache

from app.domain.life import CLOCK_TOLERANCE_MS
from app.domain.operations.usage import CountedUsage, Usage
from app.repository.base import Repository
from app.services.clock import Clock

READ_AGAIN_MS = 5000
"""How long a count is kept in memory before it is read again, in milliseconds."""

_MOST_ACCOUNTS = 4096
_MOST_SPANS = 16
_NEVER_COUNTED = CountedUsage(Usage(), 0)


@dataclass(slots=True)
class _Span:
    """What was written in a few seconds."""

    began_ms: int
    last_ms: int
    change: Usage


class _Account:
    """What is known of one account in this process.

    Attributes:
        held: What it holds: the last count, and what was written here since that began.
    """

    def __init__(self) -> None:
        self.held = Usage()
        self._spans: deque[_Span] = deque()
        self._read_at_ms: int | None = None

    def is_fresh(self, now_ms: int) -> bool:
        """Whether the count need not be read again."""
        read_at = self._read_at_ms
        return read_at is not None and 0 <= now_ms - read_at < READ_AGAIN_MS

    def take(self, counted: CountedUsage, now_ms: int) -> None:
        """Take over a count, and forget what it includes.

        What a clock left in the future when it was set back is forgotten, too.
        """
        latest = now_ms + CLOCK_TOLERANCE_MS
        while self._spans and not counted.counted_at_ms <= self._spans[0].last_ms <= latest:
            self._spans.popleft()
        self.held = reduce(Usage.plus, [span.change for span in self._spans], counted.usage)
        self._read_at_ms = now_ms

    def add(self, change: Usage, now_ms: int) -> None:
        """Note what was written."""
        self.held = self.held.plus(change)
        newest = self._spans[-1] if self._spans else None
        if newest is None or not 0 <= now_ms - newest.began_ms < READ_AGAIN_MS:
            self._spans.append(_Span(now_ms, now_ms, change))
        else:
            newest.last_ms, newest.change = now_ms, newest.change.plus(change)
        if len(self._spans) > _MOST_SPANS:
            oldest = self._spans.popleft()
            self._spans[0].change = self._spans[0].change.plus(oldest.change)


class Limits:
    """Refuses writes that would take an account over a ceiling.

    Args:
        ceiling: What an account may hold.
        clock: Unix milliseconds.
    """

    def __init__(self, ceiling: Usage, clock: Clock) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._accounts: LRUCache[str, _Account] = LRUCache(_MOST_ACCOUNTS)
        self._lock = Lock()

    def require_room(self, repository: Repository, account_id: str, adding: Usage) -> None:
        """Refuse to add more than the account may hold.

        Raises:
            AccountLimitReached: Names the ceiling.
        """
        now_ms = self._clock()
        with self._lock:
            known = self._known(account_id)
            is_fresh = known.is_fresh(now_ms)
        if not is_fresh:
            counted = repository.usage.get(account_id) or _NEVER_COUNTED
            with self._lock:
                known.take(counted, now_ms)
        known.held.require_room(adding, self._ceiling)

    def note(self, account_id: str, change: Usage) -> None:
        """Note what was written since the account was counted."""
        with self._lock:
            self._known(account_id).add(change, self._clock())

    def _known(self, account_id: str) -> _Account:
        known = self._accounts.get(account_id)
        if known is None:
            known = self._accounts[account_id] = _Account()
        return known
