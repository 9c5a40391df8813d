"""The bytes of a row that its MAC covers: layout, table, and each column by type and length."""

from collections.abc import Mapping
from functools import cache
from struct import Struct

from app.domain.guarded import Guardable, GuardedField

_NUMBER = Struct(">cq").pack
_LENGTH = Struct(">cI").pack


class UnknownLayout(Exception):
    """The row cannot be covered in this layout, or its MAC is of a layout that we do not know."""


def row_bytes(row: Guardable, layout: int | None) -> bytes:
    """The canonical form of a row in one layout; no two rows or layouts share one.

    Raises:
        UnknownLayout: There is no such layout, or a column that it omits holds another value than
            in rows that were written before the column existed.
    """
    columns = row.columns()
    omitted = row.mac_layouts.omitted.get(layout) if layout is not None else None
    if layout is None or omitted is None:
        raise UnknownLayout
    if omitted:
        columns = _without(columns, omitted)
    parts = [bytes((layout,)), _encode_name(row.table)]
    for name, value in columns.items():
        parts.append(_encode_name(name))
        match value:
            case str():
                text = value.encode()
                parts += (_LENGTH(b"S", len(text)), text)
            case int():
                parts.append(_NUMBER(b"I", value))
            case bytes():
                parts += (_LENGTH(b"B", len(value)), value)
            case None:
                parts.append(b"N")
    return b"".join(parts)


def _without(
    columns: Mapping[str, GuardedField], omitted: Mapping[str, GuardedField]
) -> Mapping[str, GuardedField]:
    if any(columns[name] != value for name, value in omitted.items()):
        raise UnknownLayout
    return {name: value for name, value in columns.items() if name not in omitted}


@cache
def _encode_name(name: str) -> bytes:
    text = name.encode()
    return _LENGTH(b"S", len(text)) + text
