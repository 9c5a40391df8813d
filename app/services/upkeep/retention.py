"""The retention of rows that grant nothing any more.

What has ended is deleted in small batches: at most 100 injections with each new one, and all else
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
        retention_ms: The retention, in milliseconds.
        version_age_ms: That of old versions of secrets.
        version_count: The number of old versions to keep of each secret.
    """

    def __init__(
        self, clock: SteadyClock, retention_ms: int, *, version_age_ms: int, version_count: int
    ) -> None:
        self._clock = clock
        self._retention_ms = retention_ms
        self._version_age_ms = version_age_ms
        self.version_count = version_count

    @property
    def until_ms(self) -> int:
        """Rows that had ended by this time are deleted; Unix milliseconds."""
        return self._clock.read().earliest_ms - self._retention_ms

    @property
    def versions_until_ms(self) -> int:
        """Versions that had been replaced by this time are deleted; Unix milliseconds."""
        return self._clock.read().earliest_ms - self._version_age_ms

    def delete_versions(self, work: Repository, account_id: str) -> int:
        """Delete up to 100 old versions of the account's secrets. Returns the number deleted."""
        return work.secret_versions.delete_older(
            account_id, self.versions_until_ms, DELETED_AT_ONCE
        )

    def delete_injections(self, work: Repository, account_id: str) -> int:
        """Delete up to 100 of the account's injections. Returns the number deleted."""
        return work.injections.delete_ended(account_id, self.until_ms, DELETED_AT_ONCE)

    def delete_gateway_tokens(self, work: Repository, account_id: str) -> int:
        """Delete up to 100 of the account's gateway tokens. Returns the number deleted."""
        return work.gateway_tokens.delete_ended(account_id, self.until_ms, DELETED_AT_ONCE)

    def delete_gateway_uses(self, work: Repository, account_id: str) -> int:
        """Delete up to 100 of the uses of the account's tokens. Returns the number deleted."""
        return work.gateway_uses.delete_ended(account_id, self.until_ms, DELETED_AT_ONCE)
