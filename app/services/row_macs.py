"""What a row's MAC covers, as bytes: the table, and each column by type and length."""

import struct

from app.domain.guarded import Guardable, GuardedField


def row_bytes(row: Guardable) -> bytes:
    """The canonical form of a row's columns; no two rows share one."""
    parts = [_encode(row.table)]
    for name, value in row.columns().items():
        parts += (_encode(name), _encode(value))
    return b"".join(parts)


def _encode(value: GuardedField) -> bytes:
    match value:
        case None:
            return b"N"
        case int():
            return b"I" + struct.pack(">q", value)
        case str():
            text = value.encode()
            return b"S" + struct.pack(">I", len(text)) + text
        case bytes():
            return b"B" + struct.pack(">I", len(value)) + value
