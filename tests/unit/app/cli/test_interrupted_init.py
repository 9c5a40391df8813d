"""``strongroom init`` may be killed anywhere: run again, it completes what it had begun."""

import os
import sys
from itertools import count

import pytest

from app.cli.main import strongroom
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.sqlite]

_KILLED = 9
_STEPS = frozenset({"open", "os.mkdir", "os.link", "os.rename", "os.remove", "sqlite3.connect"})


def die_at_step(number: int, terminal: Terminal) -> bool:
    """Run ``strongroom init`` in a fork that dies before its step of this number; whether it did.

    A step is whatever opens, makes, renames or removes a file: between two of them, nothing that
    lasts changes but inside a transaction of SQLite.
    """
    child = os.fork()
    if child == 0:
        steps = count(1)

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            about_home = str(terminal.home) in str(arguments)
            if event in _STEPS and about_home and next(steps) == number:
                os._exit(_KILLED)

        with open(os.devnull, "w") as nothing:  # noqa: PTH123 - a stream for both
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        sys.addaudithook(watch)
        try:
            strongroom.main(["init"], standalone_mode=False, obj=terminal.environ)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _KILLED


# From Python 3.12 on, forking warns while other tests' servers have threads; the child uses none.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_init_completes_after_a_kill_at_any_point(bare: Terminal) -> None:
    for number in count(1):
        terminal = Terminal(bare.home.with_name(f"home-{number}"))
        if not die_at_step(number, terminal):
            break
        terminal.answer("init")
        assert terminal.json("check")["ok"]
        (account,) = terminal.json("account", "list")
        keys = terminal.json("api-key", "list", account["id"])
        assert [key["state"] for key in keys].count("live") == 1
        assert keys[-1]["id"].partition("_")[2] in (terminal.home / "client.env").read_text()
        assert [path for path in terminal.home.iterdir() if path.name.startswith(".")] == []
    assert number > len(_STEPS)
