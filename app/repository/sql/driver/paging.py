"""Lists that are read in parts, each after the last row of the one before."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Column, bindparam, tuple_

from app.domain.columns import Row
from app.domain.damage import DamagedRow
from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded
from app.repository.collections.batches import Batch, Position
from app.repository.sql.driver.locks import Query
from app.repository.sql.driver.statements import Statements

R = TypeVar("R", bound=Guardable)


class Paged:
    """The statements of a list: one reads its first part, one a part after a position.

    Args:
        query: Selects the rows of the list.
        key: The columns by which they are ordered; the query selects them.
        descending: The list begins with the last.
    """

    def __init__(self, query: Query, *key: Column[Any], descending: bool = False) -> None:
        order = [column.desc() if descending else column for column in key]
        self._names = [f"after_{column.name}" for column in key]
        here, after = tuple_(*key), tuple_(*map(bindparam, self._names))
        self.first: Query = query.order_by(*order).limit(bindparam("limit"))
        self.following = self.first.where(here < after if descending else here > after)
        columns = [*query.selected_columns]
        self._places = [columns.index(column) for column in key]

    def rows(
        self, statements: Statements, after: Position | None, limit: int, **parameters: object
    ) -> list[Row]:
        """Read up to ``limit`` rows after a position, ``None`` for the start of the list."""
        parameters["limit"] = limit
        if after is None:
            return statements.all(self.first, parameters)
        parameters.update(zip(self._names, after, strict=True))
        return statements.all(self.following, parameters)

    def batch(
        self,
        statements: Statements,
        parse: Callable[[Row], Guarded[R]],
        after: Position | None,
        limit: int,
        **parameters: object,
    ) -> Batch[R]:
        """Read a batch, and one row more, which shows that others follow.

        A damaged row must not hide the others, and is in the batch as such.
        """
        rows = self.rows(statements, after, limit + 1, **parameters)
        shown = rows[:limit]
        following: Position | None = None
        if len(rows) > limit:
            following = tuple(shown[-1][place] for place in self._places)
        batch: list[Guarded[R] | DamagedRow] = []
        for row in shown:
            try:
                batch.append(parse(row))
            except TamperedRow as error:
                batch.append(error.row)
        return Batch(batch, following)
