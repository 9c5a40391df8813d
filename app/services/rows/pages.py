"""Pages that end at a number of rows or of bytes, whichever comes first."""

from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedPage(Generic[T]):
    """One page of a list, as it is filled.

    Args:
        limit: The limit on its rows.
        max_bytes: The limit on their bytes; a single row may take more.

    Attributes:
        has_more: Whether a row was left out for its size.
    """

    def __init__(self, limit: int, max_bytes: int) -> None:
        self.rows: list[T] = []
        self.has_more = False
        self._limit = limit
        self._remaining_bytes = max_bytes

    @property
    def room(self) -> int:
        """The number of rows that may follow."""
        return 0 if self.has_more else self._limit - len(self.rows)

    def add(self, row: T, size: int) -> None:
        """Add a row unless the page has ended."""
        self._remaining_bytes -= size
        if self.has_more or (self._remaining_bytes < 0 and self.rows):
            self.has_more = True
        else:
            self.rows.append(row)
