"""The parts that tables are made of: types of columns, constraints, and the names of both."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from app.domain.columns import columns_of

_METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


# Only types that a driver passes through unchanged: statements run on the driver itself.
_BYTES = LargeBinary()
# Sorted bytewise everywhere, as ids are made to be.
_STRING = Text().with_variant(Text(collation="C"), "postgresql")
# STRICT tables of SQLite have no other name for 64 bits.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


_TYPES: Mapping[type, TypeEngine[Any]] = {
    str: _STRING,
    int: _NUMBER,
    bytes: _BYTES,
    bool: Integer(),
}


def table(name: str, *parts: SchemaItem) -> Table:
    """Define a table."""
    return Table(name, _METADATA, *parts, sqlite_strict=True)


def _named(kind: TypeEngine[Any], *names: str, nullable: bool = False) -> list[Column[Any]]:
    # Without autoincrement, as else PostgreSQL counts a key of one number by itself.
    return [Column(name, kind, nullable=nullable, autoincrement=False) for name in names]


strings, numbers, blobs = (partial(_named, kind) for kind in (_STRING, _NUMBER, _BYTES))


def columns(row_type: type) -> list[Column[Any]]:
    """Return the columns of a row type."""
    return [
        column
        for each in columns_of(row_type).all
        for column in _named(_TYPES[each.codec.kind], each.name, nullable=each.is_nullable)
    ]


def mac() -> list[Column[Any]]:
    """Return the columns of a row's MAC."""
    return [*strings("mac_key_id"), *blobs("mac")]


def at_most(column: str, length: int) -> CheckConstraint:
    """Refuse an empty text, and a longer one."""
    return CheckConstraint(f"length({column}) BETWEEN 1 AND {length}", name=column)


def digest(column: str) -> CheckConstraint:
    """Refuse bytes that are no digest."""
    return CheckConstraint(f'length("{column}") = 32', name=column)


def tag(column: str) -> CheckConstraint:
    """Refuse bytes that are no layout number and MAC (``app.domain.guarded.Mac``)."""
    return CheckConstraint(f'length("{column}") = 33', name=column)


def one_of(column: str, *words: str) -> CheckConstraint:
    """Refuse all but these words."""
    return CheckConstraint(f'"{column}" IN ({", ".join(words)})', name=column)
