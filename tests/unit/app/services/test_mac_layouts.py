"""Each MAC names the layout that it covers, so two releases verify each other's rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from app.crypto.system_key import OpenedSystemKey
from app.domain.errors import TamperedRow
from app.domain.guarded import Guarded, GuardedField, Mac, MacLayouts
from backends.context import KeyContext
from backends.data_key import DataKey


@dataclass(frozen=True)
class Before:
    """A row of the release before the column ``colour`` existed."""

    table: ClassVar[str] = "things"
    mac_layouts: ClassVar[MacLayouts] = MacLayouts()

    name: str

    def columns(self) -> Mapping[str, GuardedField]:
        return {"name": self.name}


@dataclass(frozen=True)
class Adding:
    """The same row in the release that adds the column."""

    table: ClassVar[str] = "things"
    mac_layouts: ClassVar[MacLayouts] = MacLayouts(written=1, omitted={1: {"colour": None}, 2: {}})

    name: str
    colour: str | None = None

    def columns(self) -> Mapping[str, GuardedField]:
        return {"name": self.name, "colour": self.colour}


@dataclass(frozen=True)
class Using(Adding):
    """The same row in the release after that."""

    mac_layouts: ClassVar[MacLayouts] = MacLayouts(written=2, omitted={1: {"colour": None}, 2: {}})


@pytest.fixture
def opened() -> OpenedSystemKey:
    return OpenedSystemKey(KeyContext("dep_1", "_system", "dk_1"), DataKey.random())


def test_a_release_that_adds_a_column_verifies_rows_from_before(opened: OpenedSystemKey) -> None:
    before = opened.guard(Before("a"))
    assert opened.verify(Guarded(Adding("a"), before.mac)) == Adding("a")


def test_the_release_before_verifies_rows_of_the_one_that_adds_a_column(
    opened: OpenedSystemKey,
) -> None:
    adding = opened.guard(Adding("a"))
    assert opened.verify(Guarded(Before("a"), adding.mac)) == Before("a")


def test_the_release_that_adds_a_column_verifies_rows_that_use_it(opened: OpenedSystemKey) -> None:
    using = opened.guard(Using("a", "red"))
    assert opened.verify(Guarded(Adding("a", "red"), using.mac)) == Adding("a", "red")


def test_a_column_that_a_layout_omits_says_nothing(opened: OpenedSystemKey) -> None:
    before = opened.guard(Before("a"))
    with pytest.raises(TamperedRow):
        opened.verify(Guarded(Using("a", "red"), before.mac))


def test_the_number_of_the_layout_is_authenticated(opened: OpenedSystemKey) -> None:
    using = opened.guard(Using("a"))
    relabelled = Mac(using.mac.key_id, b"\x01" + using.mac.tag[1:])
    with pytest.raises(TamperedRow):
        opened.verify(replace(using, mac=relabelled))


def test_a_layout_that_we_do_not_know_is_refused(opened: OpenedSystemKey) -> None:
    using = opened.guard(Using("a"))
    with pytest.raises(TamperedRow):
        opened.verify(Guarded(Before("a"), using.mac))
