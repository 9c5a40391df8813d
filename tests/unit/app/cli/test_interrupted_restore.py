"""A backup or a restore may be killed anywhere: nothing is half there; run again, it completes."""

import os
import shutil
import sys
from itertools import count
from pathlib import Path

import pytest

from app.cli.main import strongroom
from tests.support.terminal import Terminal
from tests.unit.app.cli.test_backup import create, values

_KILLED = 9
_STEPS = frozenset({"open", "os.mkdir", "os.link", "os.rename", "os.remove", "sqlite3.connect"})
_FEWEST_STEPS = 10

# From Python 3.12 on, forking warns while other tests' servers have threads; the child uses none.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.sqlite,
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def die_at_step(number: int, terminal: Terminal, directory: Path, *arguments: str) -> bool:
    """Run a command in a fork that dies before its step of this number. Returns whether it did."""
    child = os.fork()
    if child == 0:
        steps = count(1)

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            about_us = str(directory) in str(arguments)
            if event in _STEPS and about_us and next(steps) == number:
                os._exit(_KILLED)

        with open(os.devnull, "w") as nothing:  # noqa: PTH123 - a stream for both
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        sys.addaudithook(watch)
        try:
            strongroom.main(list(arguments), standalone_mode=False, obj=terminal.environ)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _KILLED


@pytest.fixture
def backup(terminal: Terminal, account: str, tmp_path: Path) -> Path:
    """A backup with OLD; the database has NEW in addition."""
    create(terminal, account, "OLD")
    terminal.answer("backup", str(tmp_path / "backup"))
    create(terminal, account, "NEW")
    return tmp_path / "backup"


def names(terminal: Terminal, account: str) -> list[str]:
    return sorted(values(terminal, account))


def test_a_restore_that_is_killed_leaves_one_whole_database_or_none(
    terminal: Terminal, account: str, backup: Path, tmp_path: Path
) -> None:
    for number in count(1):
        tried = Terminal(tmp_path / f"home-{number}")
        shutil.copytree(terminal.home, tried.home)
        if not die_at_step(number, tried, tried.home, "restore", str(backup), "--replace"):
            break
        if (tried.home / "strongroom.db").exists():
            assert names(tried, account) in (["NEW", "OLD"], ["OLD"])
        else:
            (aside,) = tried.home.glob("strongroom.db.replaced-*")
            assert tried.run("account", "list").exit_code == 4
        tried.answer("restore", str(backup), "--replace")
        assert names(tried, account) == ["OLD"]
        for aside in tried.home.glob("strongroom.db.replaced-*Z"):
            tried.answer("restore", str(aside), "--replace")
            assert names(tried, account) in (["NEW", "OLD"], ["OLD"])
        assert [path for path in tried.home.iterdir() if path.name.startswith(".")] == []
    assert number > _FEWEST_STEPS


def test_a_backup_that_is_killed_is_whole_or_not_there(
    terminal: Terminal, account: str, tmp_path: Path
) -> None:
    create(terminal, account, "OLD")
    for number in count(1):
        directory = tmp_path / f"backups-{number}"
        directory.mkdir()
        file = directory / "backup"
        if not die_at_step(number, terminal, directory, "backup", str(file)):
            break
        if not file.exists():
            terminal.answer("backup", str(file))
        assert {path.name for path in directory.iterdir()} <= {"backup", ".backup.draft"}
        terminal.answer("restore", str(file), "--replace")
        assert names(terminal, account) == ["OLD"]
    assert number > 2
