"""The limits of an account: rows and bytes that it may store.

No write counts rows. The sweep counts an account now and then and files the result; a write adds
what this process wrote since that count began. So an account can be over a limit only by what other
processes wrote since the last count.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import reduce
from threading import Lock

from app.domain.errors import AccountLimitReached
from app.domain.life import CLOCK_TOLERANCE_MS
from app.domain.operations.usage import CountedUsage, Usage
from app.repository.base import Repository

READ_AGAIN_MS = 5000
"""For how long a count is used before it is read again, in milliseconds."""

_MAX_ACCOUNTS = 4096
_MAX_SPANS = 16
_NEVER_COUNTED = CountedUsage(Usage(), 0)


_WORDS = ("secrets", "injections", "API keys", "bytes")


def total(one: Usage, other: Usage) -> Usage:
    """The sum of both."""
    # Spelled out: each write adds twice, and a loop takes four times as long.
    return Usage(
        one.secrets + other.secrets,
        one.injections + other.injections,
        one.api_keys + other.api_keys,
        one.bytes + other.bytes,
    )


@dataclass(slots=True)
class _Span:
    """The writes of a few seconds."""

    began_ms: int
    last_ms: int
    change: Usage


class _Account:
    """The usage of one account, as far as this process knows it.

    Attributes:
        usage: The last count, and the writes of this process since that began.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self._spans: deque[_Span] = deque()
        self._read_at_ms: int | None = None

    def is_fresh(self, now_ms: int) -> bool:
        """Return True if the count need not be read again."""
        read_at = self._read_at_ms
        return read_at is not None and 0 <= now_ms - read_at < READ_AGAIN_MS

    def take(self, counted: CountedUsage, now_ms: int) -> None:
        """Use a new count, and forget the writes that it includes.

        Writes that are in the future since a clock was set back are forgotten, too.
        """
        latest = now_ms + CLOCK_TOLERANCE_MS
        while self._spans and not counted.counted_at_ms <= self._spans[0].last_ms <= latest:
            self._spans.popleft()
        self.usage = reduce(total, [span.change for span in self._spans], counted.usage)
        self._read_at_ms = now_ms

    def add(self, change: Usage, now_ms: int) -> None:
        """Note a write."""
        self.usage = total(self.usage, change)
        newest = self._spans[-1] if self._spans else None
        if newest is None or not 0 <= now_ms - newest.began_ms < READ_AGAIN_MS:
            self._spans.append(_Span(now_ms, now_ms, change))
        else:
            newest.last_ms, newest.change = now_ms, total(newest.change, change)
        if len(self._spans) > _MAX_SPANS:
            oldest = self._spans.popleft()
            self._spans[0].change = total(self._spans[0].change, oldest.change)


class Limits:
    """Refuses writes that would take an account over a limit.

    Args:
        limits: The usage that an account may reach.
    """

    def __init__(self, limits: Usage) -> None:
        self._limits = limits
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._lock = Lock()

    def require_room(
        self, repository: Repository, account_id: str, adding: Usage, now_ms: int
    ) -> None:
        """Refuse to add more than the account may store.

        Raises:
            AccountLimitReached: Names the limit.
        """
        account = self._account(account_id)
        if not account.is_fresh(now_ms):
            counted = repository.usage.get(account_id) or _NEVER_COUNTED
            with self._lock:
                account.take(counted, now_ms)
        for what, used, added, limit in zip(
            _WORDS, account.usage, adding, self._limits, strict=True
        ):
            if added > 0 and used + added > limit:  # limits of what is not added are not compared
                raise AccountLimitReached(what, limit)

    def has_room(self, repository: Repository, account_id: str, adding: Usage, now_ms: int) -> bool:
        """Return True if ``require_room`` would not refuse."""
        try:
            self.require_room(repository, account_id, adding, now_ms)
        except AccountLimitReached:
            return False
        return True

    def note(self, account_id: str, change: Usage, now_ms: int) -> None:
        """Note a write; it counts until the account is counted again."""
        account = self._account(account_id)
        with self._lock:
            account.add(change, now_ms)

    def _account(self, account_id: str) -> _Account:
        """The account, now the one that was used last; the one unused for longest makes room."""
        with self._lock:
            account = self._accounts.pop(account_id, None) or _Account()
            self._accounts[account_id] = account
            if len(self._accounts) > _MAX_ACCOUNTS:
                self._accounts.popitem(last=False)
        return account
