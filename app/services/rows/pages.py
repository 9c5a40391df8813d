"""Pages that end at a number of rows or of bytes, whichever comes first."""

from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedPage(Generic[T]):
    """One page of a list, as it is filled.

    Args:
        limit: How many rows it holds at most.
        max_bytes: How many bytes they take at most, but for a single row that takes more.

    Attributes:
        has_more: Whether a row was left out for its size.
    """

    def __init__(self, limit: int, max_bytes: int) -> None:
        self.rows: list[T] = []
        self.has_more = False
        self._limit = limit
        self._bytes_left = max_bytes

    @property
    def room(self) -> int:
        """How many rows may follow."""
        return 0 if self.has_more else self._limit - len(self.rows)

    def add(self, row: T, size: int) -> None:
        """Add a row unless the page has ended."""
        self._bytes_left -= size
        if self.has_more or (self._bytes_left < 0 and self.rows):
            self.has_more = True
        else:
            self.rows.append(row)
