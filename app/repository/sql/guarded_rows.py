"""The base of collections whose rows a MAC covers: each is found by its account and its id."""

from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Column, Table, and_, bindparam, delete, literal_column, select, update

from app.domain.columns import GuardedColumns
from app.domain.guarded import Guardable, Guarded
from app.repository.collections.batches import Batch, Position
from app.repository.sql.driver.dialect import is_among
from app.repository.sql.driver.locks import free_ones
from app.repository.sql.driver.paging import Paged
from app.repository.sql.driver.statements import Collection, InsertUnlessThere

R = TypeVar("R", bound=Guardable)


class GuardedTable(Generic[R]):
    """The statements that all such tables have.

    Args:
        replaced: The columns that ever change, where others would cost their indexes an entry.

    Attributes:
        this: The condition that a row is the one of ``of_account_id`` and ``of_id``.
    """

    def __init__(self, table: Table, row_type: type[R], *replaced: str) -> None:
        key = tuple(table.primary_key)
        self.key = [column.name for column in key]
        self.columns = GuardedColumns(row_type)
        self.this = and_(*(column == bindparam(f"of_{column.name}") for column in key))
        self.rows = select(*table.c)
        self.get = self.rows.where(self.this)
        self.swept = Paged(self.rows, *key)
        self.add = InsertUnlessThere(table)
        self.replace = update(table).where(self.this)
        if replaced:
            self.replace = self.replace.values({name: bindparam(name) for name in replaced})

    def dump(self, row: Guarded[R]) -> dict[str, object]:
        """Return the parameters that replace a row."""
        columns = self.columns.dump(row)
        return {**columns, **{f"of_{name}": columns[name] for name in self.key}}


class GuardedRows(Collection, Generic[R]):
    """Rows of one such table."""

    _table: ClassVar[GuardedTable[Any]]

    def add(self, row: Guarded[R], /) -> None:
        self._statements.insert(self._table.add, self._table.columns.dump(row))

    def replace(self, row: Guarded[R], /) -> None:
        self._statements.write(self._table.replace, self._table.dump(row))

    def sweep(self, after: Position | None, limit: int) -> Batch[R]:
        parse = self._table.columns.parse
        return self._table.swept.batch(self._statements, parse, after, limit)

    def _get(self, *key: str) -> Guarded[R] | None:
        this = {f"of_{name}": part for name, part in zip(self._table.key, key, strict=True)}
        row = self._statements.first(self._statements.lockable(self._table.get), this)
        return None if row is None else self._table.columns.parse(row)


class Ended:
    """The statements on the rows of an account that ended by ``until_ms``.

    Args:
        at: The column with the time at which a row ends, in Unix milliseconds.
    """

    def __init__(self, table: Table, at: Column[Any]) -> None:
        own = table.c.account_id == bindparam("of_account_id")
        ended = select(table.c.id).where(own, at <= bindparam("until_ms"))
        oldest = ended.order_by(at).limit(bindparam("limit"))
        self.any = ended.limit(literal_column("1"))
        self.delete = delete(table).where(own, is_among(table.c.id, free_ones(oldest)))


class EndingRows(GuardedRows[R]):
    """Rows that are deleted some time after they ended."""

    _ended: ClassVar[Ended]

    def has_ended(self, account_id: str, until_ms: int) -> bool:
        parameters = {"of_account_id": account_id, "until_ms": until_ms}
        return self._statements.first(self._ended.any, parameters) is not None

    def delete_ended(self, account_id: str, until_ms: int, limit: int) -> int:
        parameters = {"of_account_id": account_id, "until_ms": until_ms, "limit": limit}
        return self._statements.write(self._ended.delete, parameters)
