"""Lists of any length, read in batches."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from app.domain.guarded import Guardable
from app.repository.base import Database, Repository
from app.repository.collections.batches import Batch, Position, Stored

R = TypeVar("R", bound=Guardable)


def in_batches(
    database: Database, read: Callable[[Repository, Position | None], Batch[R]]
) -> Iterator[Stored[R]]:
    """Yield every row of a list: one batch in memory at a time, no connection between batches.

    Args:
        read: Reads the batch after a position.
    """
    after: Position | None = None
    while True:
        with database.reading() as repository:
            batch = read(repository, after)
        yield from batch.rows
        if batch.after is None:
            return
        after = batch.after
