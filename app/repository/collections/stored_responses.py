"""The collection of stored responses."""

from abc import ABC, abstractmethod

from app.domain.idempotency import StoredResponse


class StoredResponseRepository(ABC):
    """Stored responses to idempotent requests."""

    @abstractmethod
    def get(self, account_id: str, api_key_id: str, request_id: str) -> StoredResponse | None:
        """The stored response, or ``None``; it may have expired."""

    @abstractmethod
    def claim(self, response: StoredResponse, now_ms: int) -> bool:
        """Insert the row unless there is one that has not expired at ``now_ms``.

        A claim that meets another unit of work's open claim waits for its end.

        Returns:
            Whether the row was inserted. If not, ``get`` finds the other one.
        """

    @abstractmethod
    def finish(self, response: StoredResponse) -> None:
        """Write the response of a row that this unit of work claimed."""

    @abstractmethod
    def has_expired(self, account_id: str, now_ms: int) -> bool:
        """Whether a response of the account has expired at ``now_ms``."""

    @abstractmethod
    def has_later(self, account_id: str, later_ms: int) -> bool:
        """Whether a response of the account expires after ``later_ms``."""

    @abstractmethod
    def end_later(self, account_id: str, later_ms: int, until_ms: int, limit: int) -> int:
        """Have at most ``limit`` responses that expire after ``later_ms`` expire at ``until_ms``.

        Returns:
            How many it were. Those that another unit of work holds are left out.
        """

    @abstractmethod
    def delete_expired(self, account_id: str, now_ms: int, limit: int) -> int:
        """Delete at most ``limit`` responses of the account that have expired at ``now_ms``.

        Returns:
            How many it were. Those that another unit of work holds are left out.
        """
