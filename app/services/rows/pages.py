"""Pages that end at a number of rows or of bytes, whichever comes first."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from app.domain.guarded import Guardable
from app.repository.collections.batches import Batch, Position, Stored

T = TypeVar("T")
R = TypeVar("R", bound=Guardable)

_BATCH = 100


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


def fill(
    page: BoundedPage[Any],
    read: Callable[[Position | None, int], Batch[R]],
    add: Callable[[Stored[R]], None],
    after: Position | None,
) -> bool:
    """Read stored rows and add them until the page has ended. Returns whether more follow it.

    Args:
        page: The page to fill.
        read: Returns so many rows after a position.
        add: Adds a row to the page, or leaves it out.
        after: The position to begin after.
    """
    while page.room:
        batch = read(after, min(page.room, _BATCH))
        for stored in batch.rows:
            add(stored)
        after = batch.after
        if after is None:
            break
    return page.has_more or after is not None
