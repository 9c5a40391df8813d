"""Every change of a single row of the audit trail that a writer of the database can make."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from app.repository.sql.tables import metadata
from tests.support.databases import Row, Rows

TABLES = tuple(name for name in metadata.tables if name.startswith("audit_"))
_LARGEST = 2**63 - 1

Make = Callable[[Rows], None]


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        name: Names it, without any random value.
        place: The table and the key of the row.
        make: Makes it.
    """

    name: str
    table: str
    row: Row
    make: Make


def key_of(table: str) -> list[str]:
    return [column.name for column in metadata.tables[table].primary_key]


def changes(before: dict[str, list[Row]]) -> Iterator[Change]:
    """Yield each deletion, edit, copy and swap."""
    for table in TABLES:
        found = before[table]
        for place, row in enumerate(found):
            following = found[(place + 1) % len(found)]
            for name, make in _of_row(table, row, following):
                yield Change(f"{table}-{place}-{name}", table, row, make)


def _of_row(table: str, row: Row, following: Row) -> Iterator[tuple[str, Make]]:
    key = key_of(table)
    yield "delete", partial(_delete, table, row)
    for column in row:
        for kind, value in _values(table, column, row[column]):
            yield f"{column}-{kind}", partial(_edit, table, row, column, value)
        if column not in key and row[column] != following[column]:
            edit = partial(_edit, table, row, column, following[column])
            yield f"{column}-of-next", edit
    for name, copy in _copies(table, row):
        yield name, partial(_plant, table, copy)
    if any(row[column] != following[column] for column in row if column not in key):
        yield "swap", partial(_swap, table, row, following)


def _values(table: str, column: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield other values for a column, of its own type."""
    if isinstance(value, int):
        yield "more", value + 1
        yield "less", value - 1
        yield "largest", _LARGEST
    elif isinstance(value, bytes):
        yield "flipped", bytes([value[0] ^ 1]) + value[1:] if value else b"x"
        yield "zeros", bytes(len(value)) if any(value) else b"\x01" * len(value or b"1")
    elif isinstance(value, str):
        yield "longer", f"{value}x"
        if value:
            yield "empty", ""
    elif metadata.tables[table].c[column].type.python_type is str:
        yield "text", "x"
    else:
        yield "zero", 0


def _copies(table: str, row: Row) -> Iterator[tuple[str, Row]]:
    """Yield rows like this one at places that are free."""
    others = {
        "audit_lanes": {"lane": row.get("lane", 0) + 1},
        "audit_events": {"id": "aud_copy", "n": row.get("n", 0) + 100},
        "audit_blocks": {"number": row.get("number", 0) + 100, "leaf": row.get("leaf", 0) + 100},
        "audit_heads": {"size": row.get("size", 0) + 100},
        "audit_cuts": {"leaf": row.get("leaf", 0) + 1},
        "audit_subjects": {"subject": "sec_other"},
    }[table]
    yield "copy", {**row, **others}
    if "account_id" in row:
        yield "copy-to-another", {**row, **others, "account_id": "acct_other"}
    if table == "audit_events":
        yield "copy-below", {**row, "id": "aud_copy", "n": 0}
    if table == "audit_heads":
        yield "copy-below", {**row, "size": 0}
        yield "copy-between", {**row, "size": -1}


def _where(table: str, row: Row) -> Row:
    return {name: row[name] for name in key_of(table)}


def _delete(table: str, row: Row, rows: Rows) -> None:
    rows.remove(table, **_where(table, row))


def _edit(table: str, row: Row, column: str, value: object, rows: Rows) -> None:
    rows.edit(table, _where(table, row), **{column: value})


def _plant(table: str, row: Row, rows: Rows) -> None:
    rows.plant(table, row)


def _swap(table: str, row: Row, other: Row, rows: Rows) -> None:
    """Exchange all columns of two rows but their keys."""
    key = key_of(table)
    first = {name: value for name, value in other.items() if name not in key}
    second = {name: value for name, value in row.items() if name not in key}
    _delete(table, row, rows)
    rows.edit(table, _where(table, other), **second)
    rows.plant(table, {**row, **first})
