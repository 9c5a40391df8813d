"""Names of accounts, where an operator's shell completes them."""

from collections.abc import Callable

import pytest

from tests.support.completion import completions
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

Complete = Callable[..., list[str]]


# A busy machine may take longer than completion waits: those who expect names ask again.
@pytest.fixture
def complete(terminal: Terminal) -> Complete:
    return lambda *words, **more: completions(terminal.environ | more, *words)


@pytest.mark.parametrize(
    "command",
    [
        ("account", "set"),
        ("api-key", "create"),
        ("api-key", "list"),
        ("api-key", "revoke"),
        ("api-key", "rotate"),
    ],
    ids=" ".join,
)
def test_every_command_that_takes_an_account_completes_its_name(
    command: tuple[str, ...], complete: Complete
) -> None:
    wait_until(lambda: complete(*command, "def") == ["default"])


def test_a_name_with_spaces_is_quoted(terminal: Terminal, complete: Complete) -> None:
    terminal.answer("account", "create", "Team A")
    wait_until(lambda: complete("account", "set", "Te") == ["'Team A'"])


def test_no_name_controls_the_terminal_or_the_shell(terminal: Terminal, complete: Complete) -> None:
    for name in ("\x1b[2J", "$(id)", "a*", "\nplain,x"):
        with terminal.rows() as rows:
            rows.edit("accounts", {}, name=name)
        assert complete("account", "set", "") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"STRONGROOM_DATABASE_URL": "sqlite:////nowhere/strongroom.db"},
        {"STRONGROOM_DATABASE_URL": "nonsense"},
        {"STRONGROOM_THREADS": "nonsense"},
    ],
    ids=str,
)
def test_a_failure_is_silent(changed: dict[str, str], complete: Complete) -> None:
    assert complete("account", "set", "def", **changed) == []
