"""Columns of a row type, stated once: by the fields of its dataclass.

A field is a column, in the order of the table. Its type decides how the column is stored:

    str, int, bytes        as it is
    bool                   0 or 1
    an enumeration         the member's value
    tuple[str, ...]        the words, with a space between
    frozenset[...]         the values of an enumeration's members, sorted, with a space between
    any of these or None   NULL for ``None``
    a class of its own     what its ``to_text`` returns; ``from_text`` is the inverse
    another dataclass      its fields as columns, in the place of the field

A field that takes no part in comparisons is not stored. The tables, the parsers of rows and the
bytes that MACs cover follow from this: a new column is one new field, and one migration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, EnumType
from functools import cache
from itertools import product
from operator import attrgetter
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin, get_type_hints

from app.domain.errors import TamperedRow
from app.domain.guarded import Guardable, Guarded, GuardedField, Mac, MacLayouts

T = TypeVar("T")
R = TypeVar("R", bound=Guardable)
Row = tuple[Any, ...]

COLUMN = "column"
"""The key of a field's metadata under which its column's name stands, where it is another."""


class StoredRow:
    """Base of the row types that a MAC covers with all their columns."""

    __slots__ = ()

    table: ClassVar[str]
    mac_layouts: ClassVar[MacLayouts] = MacLayouts()

    def columns(self) -> Mapping[str, GuardedField]:
        """Every column as it is stored, by name."""
        row_type: Any = type(self)
        return columns_of(row_type).dump(self)


@dataclass(frozen=True, slots=True)
class Codec:
    """The way from an attribute to its column and back.

    Attributes:
        kind: ``str``, ``int``, ``bytes``, or ``bool`` for 0 and 1.
        example: A stored value that can be decoded.
        encode: ``None`` for what is stored as it is.
        decode: The inverse; raises ``ValueError`` or ``KeyError`` for what cannot have been stored.
    """

    kind: type
    example: GuardedField
    encode: Callable[[Any], GuardedField] | None = None
    decode: Callable[[Any], object] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row type.

    Attributes:
        path: The attribute with its value; that of a nested dataclass has a dot.
    """

    name: str
    path: str
    codec: Codec
    is_nullable: bool

    @property
    def stored_types(self) -> tuple[type, ...]:
        """The types that a driver may return."""
        kind = int if self.codec.kind is bool else self.codec.kind
        return (kind, NoneType) if self.is_nullable else (kind,)


class Columns(Generic[T]):
    """The columns of a row type, which is a dataclass with at least two."""

    def __init__(self, row_type: type[T]) -> None:
        self.all = tuple(_columns(row_type))
        self._names = [column.name for column in self.all]
        self._attributes = attrgetter(*[column.path for column in self.all])
        self._encoders = [(each.name, each.codec.encode) for each in self.all if each.codec.encode]

    def dump(self, row: T) -> dict[str, GuardedField]:
        """The columns of a row as they are stored, by name."""
        stored = dict(zip(self._names, self._attributes(row), strict=True))
        for name, encode in self._encoders:
            if stored[name] is not None:
                stored[name] = encode(stored[name])
        return stored


@cache
def columns_of(row_type: Any) -> Columns[Any]:  # noqa: ANN401 - any dataclass
    """The columns of a row type."""
    return Columns(row_type)


class GuardedColumns(Generic[R]):
    """Turns rows with their MACs into columns and back. The two columns of the MAC come last.

    Attributes:
        example: The columns of a row that can be parsed.
        count: How many columns there are.
    """

    def __init__(self, row_type: type[R]) -> None:
        columns = columns_of(row_type).all
        self._row_type = row_type
        self._names = [column.name for column in columns]
        self.example = (
            *[None if each.is_nullable else each.codec.example for each in columns],
            "",
            b"",
        )
        self.count = len(self.example)
        # Every combination of types that a row may have, so that one look-up checks all columns.
        self._types = frozenset(product(*[each.stored_types for each in columns], (str,), (bytes,)))
        self._decoders = [
            (place, each.codec.decode) for place, each in enumerate(columns) if each.codec.decode
        ]
        self._nested = list(_nested(row_type))

    def dump(self, row: Guarded[R]) -> dict[str, GuardedField]:
        """The columns of a row as they are stored, by name."""
        columns = row.unverified.columns()
        return {**columns, "mac_key_id": row.mac.key_id, "mac": row.mac.tag}

    def parse(self, stored: Row) -> Guarded[R]:
        """The row of these columns.

        Raises:
            TamperedRow: A column is not what ``dump`` returns.
        """
        if tuple(map(type, stored)) in self._types:
            *values, key_id, tag = stored
            try:
                for place, decode in self._decoders:
                    if values[place] is not None:
                        values[place] = decode(values[place])
                for places, nested_type in self._nested:
                    values[places] = [nested_type(*values[places])]
                return Guarded(self._row_type(*values), Mac(key_id, tag))
            except (ValueError, KeyError):
                pass
        # Outside the handler, because the error of a value would stay as its context.
        named = dict(zip(self._names, stored, strict=False))
        row_id = named.get("id", named.get("data_key_id"))
        raise TamperedRow(self._row_type.table, named.get("account_id"), row_id)


def _columns(row_type: Any, path: str = "") -> Iterator[Column]:  # noqa: ANN401 - any dataclass
    hints = get_type_hints(row_type)
    for field in fields(row_type):
        hint = hints[field.name]
        if _is_nested(hint):
            yield from _columns(hint, f"{path}{field.name}.")
        elif field.compare:
            (kind,) = {*get_args(hint)} - {NoneType} if _is_nullable(hint) else (hint,)
            name = field.metadata.get(COLUMN, field.name)
            yield Column(name, path + field.name, _codec(kind), _is_nullable(hint))


def _nested(row_type: Any) -> Iterator[tuple[slice, type[Any]]]:  # noqa: ANN401
    """Yield each nested dataclass with the places of its columns once those before are nested."""
    place = 0
    for field in fields(row_type):
        hint = get_type_hints(row_type)[field.name]
        if _is_nested(hint):
            yield slice(place, place + len([*_columns(hint)])), hint
        place += field.compare


def _is_nested(hint: Any) -> bool:  # noqa: ANN401 - any type
    return is_dataclass(hint) and not hasattr(hint, "to_text")


def _is_nullable(hint: Any) -> bool:  # noqa: ANN401 - any type
    return NoneType in get_args(hint)


def _codec(kind: Any) -> Codec:  # noqa: ANN401 - any type
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, EnumType):
        return Codec(str, next(iter(kind)).value, attrgetter("value"), _by_value(kind))
    if get_origin(kind) is tuple:
        return Codec(str, "", " ".join, lambda words: tuple(words.split()))
    if get_origin(kind) is frozenset:
        (enumeration,) = get_args(kind)
        member = _by_value(enumeration)
        return Codec(
            str,
            " ".join(enumeration),
            lambda members: " ".join(sorted(members)),
            lambda words: frozenset(map(member, words.split())),
        )
    return Codec(str, "", kind.to_text, kind.from_text)


def _by_value(enumeration: Iterable[Enum]) -> Callable[[str], object]:
    # A look-up takes a fifth of the time of calling the enumeration.
    return {member.value: member for member in enumeration}.__getitem__


_PLAIN: Mapping[type, Codec] = {
    str: Codec(str, ""),
    int: Codec(int, 0),
    bytes: Codec(bytes, b""),
    bool: Codec(bool, 0, int, {0: False, 1: True}.__getitem__),
}
