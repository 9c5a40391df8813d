"""``docs/secrets.md``: the sessions run as they stand, and every command and option is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli.main import strongroom
from app.client.command_line import INCOMPLETE
from app.client.lazy_group import LazyGroup
from app.client.redeem import FORMATS, INVALID, SERVER_REFUSED, UNAVAILABLE
from tests.docs.console import assert_shown, commands_of
from tests.support.strongroom import Strongroom, running

_FILE = Path(__file__).parents[2] / "docs" / "secrets.md"
_PAGE = _FILE.read_text()
_CONTEXT = strongroom.make_context("strongroom", [], resilient_parsing=True)


def _group() -> LazyGroup:
    group = strongroom.get_command(_CONTEXT, "secret")
    assert isinstance(group, LazyGroup)
    return group


def _command(name: str) -> click.Command:
    found = strongroom if name == "token" else _group()
    command = found.get_command(_CONTEXT, name)
    assert command is not None
    return command


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Strongroom]:
    with running(tmp_path) as server:
        yield server


def test_every_session_prints_what_is_shown(server: Strongroom, tmp_path: Path) -> None:
    session = commands_of(_FILE)
    assert session
    for typed in session:
        assert_shown(typed, server, tmp_path)


def test_every_command_is_listed_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z]+)[^`]*` \| [A-Z]", _PAGE, re.MULTILINE)
    assert listed == _group().list_commands(_CONTEXT)


@pytest.mark.parametrize("name", [*_group().table, "token"])
def test_every_option_is_documented(name: str) -> None:
    options = {name for option in _command(name).params for name in option.opts if "--" in name}
    assert options <= set(re.findall(r"--[a-z-]+", _PAGE))


def test_every_format_is_documented() -> None:
    assert [form for form in FORMATS if f"`{form}`" not in _PAGE.replace("--format ", "")] == []


def test_every_exit_code_is_listed_and_no_other() -> None:
    listed = re.findall(r"^\| (\d+) \|", _PAGE, re.MULTILINE)
    codes = {0, INCOMPLETE, SERVER_REFUSED, UNAVAILABLE, INVALID, 130}
    assert set(map(int, listed)) == codes
