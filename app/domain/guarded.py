"""Rows that a MAC covers, so that writing the database grants nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

GuardedField = str | int | bytes | None


class Guardable(Protocol):
    """A row that can be covered: it names its table and its columns."""

    table: ClassVar[str]

    def columns(self) -> Mapping[str, GuardedField]:
        """Every column, in a fixed order: what a row says beside what it grants is believed too."""


Row = TypeVar("Row", bound=Guardable, covariant=True)  # noqa: PLC0105 - the field's own word


@dataclass(frozen=True, slots=True)
class Mac:
    """A keyed hash and the id of the system data key that keyed it."""

    key_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Guarded(Generic[Row]):
    """A row as it stands in the database, not to be believed before its MAC was verified."""

    unverified: Row
    mac: Mac
