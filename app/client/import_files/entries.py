"""An entry of an import file, and a fault of one. Neither shows any text of a value."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """A line of the file, counted from 1, or another unit that a format has."""

    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.unit} {self.number}" if self.number else "the file"


THE_FILE = Place(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and its value, unchecked.

    Attributes:
        note: A remark about the way in which the value was read, if one is due.
    """

    place: Place
    name: str = field(repr=False)
    value: str = field(repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason not to import the file: a place, and a rule. Both are our own words.

    Attributes:
        has_sure_name: True if only the value is wrong, so that the names around it are names, and
            no pieces of a value.
    """

    place: Place
    rule: str
    has_sure_name: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}"


Parsed = Iterator[Entry | Fault]
