"""The tables of a move, in the order of their foreign keys, and their rows in batches.

Statements name columns without types, so that values pass through as the databases hold them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

from sqlalchemy import Column, Table, bindparam, cast, column, func, select, table, tuple_

from app.domain.columns import Row
from app.domain.damage import DamagedRow
from app.repository.moving.sides import Change, Side
from app.repository.sql.driver.locks import Query
from app.repository.sql.driver.statements import InsertUnlessThere
from app.repository.sql.tables import metadata

BATCH = 100

_NOT_COPIED = {"deployment", "workers", "moves"}
"""The first opens the target, and comes last. The others are about one database."""

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """One table.

    Attributes:
        name: Its name.
        columns: The names of its columns.
        insert: Adds one row, unless a row with the same unique columns is there.
    """

    name: str
    columns: tuple[str, ...]
    insert: InsertUnlessThere
    _types: tuple[tuple[type, ...], ...]
    _places: tuple[int, ...]
    _first: Query
    _following: Query
    _get: Query
    _until: Query
    _between: Query
    _count: Query

    @classmethod
    def of(cls, defined: Table) -> "CopiedTable":
        """Prepare the statements for a table."""
        names = tuple(each.name for each in defined.columns)
        plain = table(defined.name, *map(column, names))
        keys = [each.name for each in defined.primary_key]
        here = tuple_(*(plain.c[key] for key in keys))
        # Cast, since a text of SQLite that is none comes back as bytes.
        kinds = [(each.name, each.type) for each in defined.primary_key]
        after = tuple_(*(cast(bindparam(f"after_{key}"), kind) for key, kind in kinds))
        until = tuple_(*(cast(bindparam(f"until_{key}"), kind) for key, kind in kinds))
        rows = select(*plain.c).order_by(*(plain.c[key] for key in keys))
        first = rows.limit(BATCH)
        return cls(
            name=defined.name,
            columns=names,
            insert=InsertUnlessThere(plain),
            _types=tuple(map(_types_of, defined.columns)),
            _places=tuple(map(names.index, keys)),
            _first=first,
            _following=first.where(here > after),
            _get=rows.where(here == until),
            _until=rows.where(here <= until),
            _between=rows.where(here > after, here <= until),
            _count=select(func.count()).select_from(plain),
        )

    def count(self, side: Side) -> int:
        """Count the rows."""
        ((number,),) = side.read(self._count)
        return int(number)

    def batches(self, side: Side, after: Key | None) -> Iterator[list[Row]]:
        """Yield all rows after a key, up to 100 at a time."""
        while rows := self.rows(side, after):
            yield rows
            after = self.key(rows[-1])

    def rows(self, side: Side, after: Key | None) -> list[Row]:
        """Return up to 100 rows after a key, ``None`` for the first ones."""
        if after is None:
            return side.read(self._first)
        return side.read(self._following, self._named("after", after))

    def key(self, row: Row) -> Key:
        """Return the primary key of a row."""
        return tuple(row[place] for place in self._places)

    def between(self, change: Change, after: Key | None, until: Key) -> list[Row]:
        """Return the rows after a key, up to and with another."""
        parameters = self._named("until", until)
        if after is None:
            return change.rows(self._until, parameters)
        return change.rows(self._between, parameters | self._named("after", after))

    def with_key(self, change: Change, key: Key) -> list[Row]:
        """Return the row with a key, if there is one."""
        return change.rows(self._get, self._named("until", key))

    def parameters(self, rows: Iterable[Row]) -> list[Mapping[str, object]]:
        """Return the rows as the parameters of ``insert``."""
        return [dict(zip(self.columns, row, strict=True)) for row in rows]

    def is_sound(self, row: Row) -> bool:
        """Return True if each value has its column's type, and no text holds a NUL character."""
        return all(
            type(value) in types and not (isinstance(value, str) and "\0" in value)
            for value, types in zip(row, self._types, strict=True)
        )

    def name_row(self, row: Row) -> DamagedRow:
        """Name a row by its ids."""
        stored: dict[str, Any] = dict(zip(self.columns, row, strict=True))
        row_id = stored.get("id", stored.get("data_key_id", self.key(row)[-1]))
        return DamagedRow.at(self.name, stored.get("account_id"), row_id)

    def _named(self, prefix: str, key: Key) -> dict[str, object]:
        names = [self.columns[place] for place in self._places]
        return {f"{prefix}_{name}": part for name, part in zip(names, key, strict=True)}


def _types_of(defined: Column[Any]) -> tuple[type, ...]:
    kind: type = defined.type.python_type
    return (kind, NoneType) if defined.nullable else (kind,)


TABLES = tuple(
    CopiedTable.of(each) for each in metadata.sorted_tables if each.name not in _NOT_COPIED
)
"""All tables that are copied; each comes after those to which its rows refer."""
