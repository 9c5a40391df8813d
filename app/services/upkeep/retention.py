"""How long rows that grant nothing any more are kept.

What has ended is deleted in small batches: at most 100 injections with each new one, and all others
by the sweep. Nothing is deleted while a clock that was set may still show that it lives.
"""

from app.repository.base import Repository
from app.services.clock import SteadyClock

DAY_MS = 24 * 60 * 60 * 1000
DELETED_AT_ONCE = 100


class Retention:
    """Deletes what ended longer ago than the retention.

    Args:
        clock: Knows how early it may be.
        kept_ms: The retention, in milliseconds.
    """

    def __init__(self, clock: SteadyClock, kept_ms: int) -> None:
        self._clock = clock
        self._kept_ms = kept_ms

    @property
    def until_ms(self) -> int:
        """What had ended by then is deleted; Unix milliseconds."""
        return self._clock.read().earliest_ms - self._kept_ms

    def delete_injections(self, work: Repository, account_id: str) -> int:
        """Delete at most 100 of the account's injections; how many it were."""
        return work.injections.delete_ended(account_id, self.until_ms, DELETED_AT_ONCE)
