"""Lists in statements: an ``IN`` of a few fixed sizes, so that each is prepared once."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam

from app.repository.sql.prepared import Parameters


def size_for(values: Sequence[object]) -> int:
    """The least power of two that holds the values."""
    return 1 << max(len(values) - 1, 0).bit_length()


def is_in(column: ColumnElement[str], name: str, size: int) -> ColumnElement[bool]:
    """Whether the column is among ``size`` parameters."""
    return column.in_([bindparam(f"{name}_{place}") for place in range(size)])


def list_parameters(name: str, values: Sequence[object], size: int) -> Parameters:
    """The values as ``size`` parameters; the last one, or null where there is none, is repeated."""
    last = values[-1] if values else None
    filled = [*values, *([last] * (size - len(values)))]
    return {f"{name}_{place}": value for place, value in enumerate(filled)}
