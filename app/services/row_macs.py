"""What a row's MAC covers, as bytes: the table, and each column by type and length."""

from functools import cache
from struct import Struct

from app.domain.guarded import Guardable, GuardedField

_NUMBER = Struct(">cq").pack
_LENGTH = Struct(">cI").pack


def row_bytes(row: Guardable) -> bytes:
    """The canonical form of a row's columns; no two rows share one."""
    parts = [_encode_name(row.table)]
    for name, value in row.columns().items():
        parts += (_encode_name(name), _encode(value))
    return b"".join(parts)


def _encode(value: GuardedField) -> bytes:
    match value:
        case str():
            text = value.encode()
            return _LENGTH(b"S", len(text)) + text
        case int():
            return _NUMBER(b"I", value)
        case bytes():
            return _LENGTH(b"B", len(value)) + value
        case None:
            return b"N"


@cache
def _encode_name(name: str) -> bytes:
    return _encode(name)
