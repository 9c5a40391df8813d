"""Rows that a MAC covers, so that writing the database grants nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, TypeVar

from app.domain.errors import TamperedRow

GuardedField = str | int | bytes | None

_EVERY_COLUMN: Mapping[str, GuardedField] = {}


@dataclass(frozen=True, slots=True)
class MacLayouts:
    """The layouts of a table's MACs: a layout is the set of columns that a MAC covers.

    A MAC begins with the number of its layout, so a release that adds a column still verifies the
    rows of the release before it, and both run side by side while nodes are replaced. The release
    that adds a column lists a new layout and goes on writing the one before; the next release
    writes the new one.

    Attributes:
        written: The layout of new MACs; the newest that the release before this one knows.
        omitted: For each known layout, the columns that it does not cover, with the only value that
            each may hold: its value in rows that were written before the column existed.
    """

    written: int = 1
    omitted: Mapping[int, Mapping[str, GuardedField]] = field(
        default_factory=lambda: {1: _EVERY_COLUMN}
    )


class Guardable(Protocol):
    """A row that can be covered: it names its table, its columns and its layouts."""

    table: ClassVar[str]
    mac_layouts: ClassVar[MacLayouts]

    def columns(self) -> Mapping[str, GuardedField]:
        """Every column, in a fixed order: what a row says beside what it grants is believed too."""


Row = TypeVar("Row", bound=Guardable, covariant=True)  # noqa: PLC0105 - the field's own word


@dataclass(frozen=True, slots=True)
class Mac:
    """The MAC of one row.

    Attributes:
        key_id: The id of the system data key that keyed it.
        tag: The number of the layout that it covers, in one byte, and the 32 bytes of the MAC.
    """

    key_id: str
    tag: bytes


@dataclass(frozen=True, slots=True)
class Guarded(Generic[Row]):
    """A row as it stands in the database, not to be believed before its MAC was verified."""

    unverified: Row
    mac: Mac


def tampered(row: Guardable) -> TamperedRow:
    """The refusal of a row whose MAC is not right."""
    columns = row.columns()
    row_id = columns.get("id", columns.get("data_key_id"))
    return TamperedRow(row.table, columns.get("account_id"), row_id)
