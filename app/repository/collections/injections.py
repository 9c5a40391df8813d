"""The collection of injections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.domain.access.accounts import Account
from app.domain.access.api_keys import ApiKey
from app.domain.guarded import Guarded
from app.domain.injections import Injection
from app.domain.secrets import SealedValue
from app.repository.collections.batches import Batch, Position


@dataclass(frozen=True, slots=True)
class InjectionGrant:
    """All rows that one redemption is granted by.

    Attributes:
        issuers: All keys above the one that made the injection.
    """

    injection: Guarded[Injection]
    api_key: Guarded[ApiKey]
    account: Guarded[Account]
    issuers: tuple[Guarded[ApiKey], ...] = ()


class InjectionRepository(Protocol):
    """Injections."""

    def get(self, account_id: str, injection_id: str) -> Guarded[Injection] | None:
        """Return the injection, or ``None``; in a unit of work its row is locked."""

    def get_grant(self, account_id: str, injection_id: str) -> InjectionGrant | None:
        """Return the injection, its key and its account, in one round trip, or ``None``.

        The issuers of the key are not read.
        """

    def page(
        self, account_id: str, after: Position | None, limit: int, *, api_key_id: str | None = None
    ) -> Batch[Injection]:
        """Read up to ``limit`` injections of the account, newest first.

        Args:
            after: Only those below this position; no injection need stand there.
            limit: The size of the batch.
            api_key_id: Only those that this key made.
        """

    def count_pending(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        """Count the pending, unexpired injections of these keys, without verifying any."""

    def sweep(self, after: Position | None, limit: int) -> Batch[Injection]:
        """Read up to ``limit`` injections of all accounts: an operator's sweep."""

    def has_ended(self, account_id: str, until_ms: int) -> bool:
        """Return True if an injection of the account had ended at ``until_ms``."""

    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        """Delete up to ``limit`` injections of the account that had ended at ``until_ms``.

        Returns:
            The number deleted. Rows that another unit of work has locked are skipped.
        """

    def add(self, injection: Guarded[Injection]) -> None:
        """Add a new injection."""

    def replace(self, injection: Guarded[Injection]) -> None:
        """Write state, redemption and MAC of an injection that exists."""

    def replace_if_granted(
        self, injection: Guarded[Injection], seen: InjectionGrant, used: Sequence[SealedValue]
    ) -> bool:
        """Do the same if all rows that were read are unchanged. Returns whether they are.

        If so, all of them stood so at one moment during this call, and nobody else writes this
        injection before the unit of work ends. The other rows may change after that moment: the
        redemption then came before the change.

        Args:
            seen: The rows that granted it; each must have the MAC that was read.
            used: Its secrets as they were read, however long ago; each column must be the same.
        """
