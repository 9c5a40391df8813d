"""The collection of injections."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

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
        issuers: Those of all keys above the one that made the injection.
    """

    injection: Guarded[Injection]
    api_key: Guarded[ApiKey]
    account: Guarded[Account]
    issuers: tuple[Guarded[ApiKey], ...] = ()


class InjectionRepository(ABC):
    """Injections."""

    @abstractmethod
    def get(self, account_id: str, injection_id: str) -> Guarded[Injection] | None:
        """The injection, or ``None``; in a unit of work its row is locked."""

    @abstractmethod
    def get_grant(self, account_id: str, injection_id: str) -> InjectionGrant | None:
        """The injection, the key that made it and its account, in one round trip, or ``None``.

        The issuers of the key are not read.
        """

    @abstractmethod
    def page(
        self,
        account_id: str,
        after: Position | None,
        limit: int,
        *,
        api_key_id: str | None = None,
    ) -> Batch[Injection]:
        """At most ``limit`` injections of the account, newest first.

        Args:
            after: From below this position, which may be the id of any injection, there or not.
            limit: The size of the batch.
            api_key_id: Only those that this key made.
        """

    @abstractmethod
    def count_pending(self, account_id: str, key_ids: Sequence[str], now_ms: int) -> int:
        """How many that these keys made are pending and not expired, counted as they stand."""

    @abstractmethod
    def sweep(self, after: Position | None, limit: int) -> Batch[Injection]:
        """At most ``limit`` injections of all accounts: an operator's sweep."""

    @abstractmethod
    def has_ended(self, account_id: str, until_ms: int) -> bool:
        """Whether the life of an injection of the account was over at ``until_ms``."""

    @abstractmethod
    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        """Delete at most ``limit`` injections whose life was over at ``until_ms``, of the account.

        Returns:
            How many it were. Those that another unit of work holds are left out.
        """

    @abstractmethod
    def add(self, injection: Guarded[Injection]) -> None:
        """Add a new injection."""

    @abstractmethod
    def replace(self, injection: Guarded[Injection]) -> None:
        """Write what became of an injection that exists, and its MAC."""

    @abstractmethod
    def replace_if_granted(
        self, injection: Guarded[Injection], seen: InjectionGrant, used: Sequence[SealedValue]
    ) -> bool:
        """Write what became of an injection if what was read still stands; whether it does.

        If so, nobody changes these rows before the unit of work ends.

        Args:
            injection: What to write.
            seen: What granted it when it was read; each of these rows must have the same MAC still.
            used: Its secrets as they were read, however long ago; each must stand exactly so still.
        """
