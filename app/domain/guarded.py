"""Rows whose granting columns a MAC covers, so that writing the database grants nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

GuardedField = str | int | bytes | None


class Guardable(Protocol):
    """A row that can be covered: it names its table and the columns that grant something."""

    table: ClassVar[str]

    def granting(self) -> Mapping[str, GuardedField]:
        """The columns that the MAC covers, identity included, in a fixed order."""


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
