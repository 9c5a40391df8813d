"""The collection of stored responses."""

from typing import Protocol

from app.domain.idempotency import StoredResponse


class StoredResponseRepository(Protocol):
    """Stored responses to idempotent requests."""

    def get(self, account_id: str, api_key_id: str, request_id: str) -> StoredResponse | None:
        """Return the stored response, or ``None``; it may have expired."""

    def claim(self, response: StoredResponse, now_ms: int) -> bool:
        """Insert the row unless there is one that has not expired at ``now_ms``.

        If another unit of work has claimed the row, this waits for its end.

        Returns:
            True if the row was inserted. If not, ``get`` finds the other one.
        """

    def finish(self, response: StoredResponse) -> None:
        """Write the response into a row that this unit of work claimed."""

    def has_expired(self, account_id: str, now_ms: int) -> bool:
        """Return True if a response of the account has expired at ``now_ms``."""

    def has_later(self, account_id: str, later_ms: int) -> bool:
        """Return True if a response of the account expires after ``later_ms``."""

    def end_later(self, account_id: str, later_ms: int, until_ms: int, limit: int) -> int:
        """Let up to ``limit`` responses that expire after ``later_ms`` expire at ``until_ms``.

        Returns:
            The number changed. Rows that another unit of work has locked are skipped.
        """

    def delete_expired(self, account_id: str, now_ms: int, limit: int) -> int:
        """Delete up to ``limit`` responses of the account that have expired at ``now_ms``.

        Returns:
            The number deleted. Rows that another unit of work has locked are skipped.
        """
