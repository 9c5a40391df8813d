"""Columns follow from the fields of a row type."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import pytest

from app.domain.columns import COLUMN, GuardedColumns, StoredRow, columns_of
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded, Mac


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    part: str
    amount: int


@dataclass(frozen=True, slots=True)
class Thing(StoredRow):
    table: ClassVar[str] = "things"

    id: str
    flag: bool
    inner: Inner
    colour: Colour
    colours: frozenset[Colour]
    words: tuple[str, ...]
    text: str | None = field(metadata={COLUMN: "stored_as"})
    note: str = field(default="", compare=False)


THINGS = GuardedColumns(Thing)
THING = Thing(
    "id_1", True, Inner("p", 7), Colour.RED, frozenset(Colour), ("a", "b"), None, note="not stored"
)
STORED = ("id_1", 1, "p", 7, "red", "blue red", "a b", None, "dk_1", b"tag")


def test_a_row_is_stored_in_the_order_of_its_fields() -> None:
    dumped = THINGS.dump(Guarded(THING, Mac("dk_1", b"tag")))
    assert tuple(dumped.values()) == STORED
    assert list(dumped)[2:4] == ["part", "amount"]
    assert "stored_as" in dumped


def test_only_plain_types_are_stored() -> None:
    assert {type(value) for value in columns_of(Thing).dump(THING).values()} == {
        str,
        int,
        type(None),
    }


def test_a_stored_row_is_parsed_to_the_same_row() -> None:
    assert THINGS.parse(STORED) == Guarded(THING, Mac("dk_1", b"tag"))


def test_the_example_can_be_parsed() -> None:
    assert len(THINGS.example) == THINGS.count
    assert THINGS.parse(THINGS.example).mac == Mac("", b"")


@pytest.mark.parametrize(
    ("place", "value"),
    [(1, 2), (1, -1), (1, True), (2, None), (3, "7"), (4, "green"), (5, "red green"), (9, "tag")],
)
def test_what_cannot_have_been_stored_is_tampered(place: int, value: Any) -> None:
    stored = list(STORED)
    stored[place] = value
    with pytest.raises(TamperedRow, match="The row id_1 of things") as refused:
        THINGS.parse(tuple(stored))
    assert refused.value.__context__ is None


def test_a_row_of_another_width_is_tampered() -> None:
    with pytest.raises(TamperedRow):
        THINGS.parse(STORED[:-1])
