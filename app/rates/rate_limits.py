"""The limits on requests of each API key and of each account."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Protocol

from app.domain.errors import RateLimited
from app.rates.counts import Counts, Window

_MAX_WAIT_S = 60  # the official Python client obeys no longer one


class Rate(Protocol):
    """The number of requests that are admitted in a period."""

    @property
    def requests(self) -> int:
        """The number."""

    @property
    def period(self) -> str:
        """The name of the period."""

    @property
    def seconds(self) -> int:
        """The length of the period."""


@dataclass(frozen=True, slots=True)
class RequestsAMinute:
    """A rate that a row states, and no setting."""

    requests: int
    period: str = "minute"
    seconds: int = 60


class RateLimits:
    """Admits requests of authenticated callers.

    The key's own limit comes first: a key over its limit takes nothing from the others of its
    account.

    Args:
        of_key: For each API key; ``None`` for no limit.
        of_account: For all keys of an account together.
        counts: Counts the requests.
        close: Closes what the counts use.
    """

    def __init__(
        self,
        of_key: Rate | None,
        of_account: Rate | None,
        counts: Counts,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.close = close
        self._of_key = of_key
        self._of_account = of_account
        self._counts = counts

    def admit(self, account_id: str, api_key_id: str) -> None:
        """Count a request.

        Raises:
            RateLimited: The key or the account is over its limit; nothing is counted for that one.
        """
        if self._of_key is not None:
            self.require("API key", f"key/{account_id}/{api_key_id}", self._of_key)
        if self._of_account is not None:
            self.require("account", f"account/{account_id}", self._of_account)

    def require(self, what: str, name: str, rate: Rate) -> None:
        """Count a request of anything that has a rate of its own.

        Args:
            what: The kind of thing, for the refusal.
            name: Distinguishes it from all others that are counted.

        Raises:
            RateLimited: It is over its rate; nothing is counted.
        """
        counts, seconds = self._counts, rate.seconds
        if not counts.acquire_sliding_window_entry(name, rate.requests, seconds):
            wait = _seconds_to_room(counts.get_sliding_window(name, seconds), rate)
            raise RateLimited(what, rate.requests, rate.period, wait)


def _seconds_to_room(window: Window, rate: Rate) -> int:
    """Return the whole seconds after which one more request is admitted, 1 to 60."""
    previous, previous_remaining, current, current_remaining = window
    if current >= rate.requests:  # the next window begins with this one's whole count
        wait = current_remaining - rate.seconds
        wait += rate.seconds * (1 - rate.requests / current)
    elif previous:
        wait = previous_remaining - rate.seconds * (rate.requests - current) / previous
    else:
        wait = 0.0
    return min(max(floor(wait) + 1, 1), _MAX_WAIT_S)
