"""The hidden prompt of ``strongroom secret set``: nothing shows the value, whatever happens."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.app.client.job_shell import PROMPT
from tests.unit.app.client.protocol_server import API_KEY, ProtocolServer
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

FIRST, SECOND = "value of TYPED: ", "the same again: "


@pytest.fixture
def prompt(environment: dict[str, str], tmp_path: Path) -> Iterator[PseudoTerminal]:
    """``strongroom secret set`` on a terminal, in front of its first prompt."""
    with PseudoTerminal(["strongroom", "secret", "set", "TYPED"], environment, tmp_path) as screen:
        screen.expect(FIRST)
        yield screen


def test_a_typed_value_is_stored_and_never_echoed(
    prompt: PseudoTerminal, server: ProtocolServer
) -> None:
    prompt.type("canary typed ö\n")
    prompt.expect(SECOND)
    prompt.type("canary typed ö\n")
    shown = prompt.rest()
    assert (prompt.wait(), server.secrets["TYPED"]) == (0, "canary typed ö")
    assert ("canary" in shown, "TYPED: created" in shown) == (False, True)


def test_two_different_entries_store_nothing(
    prompt: PseudoTerminal, server: ProtocolServer
) -> None:
    prompt.type("canary typed\n")
    prompt.expect(SECOND)
    prompt.type("canary typo\n")
    shown = prompt.rest()
    assert (prompt.wait(), "differ" in shown, "canary" in shown) == (125, True, False)
    assert server.exchanges == []


def test_a_paste_of_several_lines_is_refused_and_no_line_gets_to_the_shell(
    shell: PseudoTerminal, server: ProtocolServer
) -> None:
    shell.type("strongroom secret set TYPED\n")
    shell.expect(FIRST)
    shell.type("canary-1\ncanary-2\necho canary-$((1 + 2))\necho canary-$((1 + 3))\n")
    shown = shell.expect(f"--file(?s:.*?){PROMPT}")
    shell.type("exit $?\n")
    assert "canary" not in shown + shell.rest()
    assert (shell.wait(), server.exchanges) == (125, [])


def test_a_line_that_a_terminal_cuts_is_refused(
    prompt: PseudoTerminal, server: ProtocolServer
) -> None:
    prompt.type("x" * 2000)
    prompt.type("x" * 2095 + "\n")
    shown = prompt.rest()
    assert (prompt.wait(), "cuts" in shown, server.exchanges) == (125, True, [])


def test_a_long_line_that_fits_is_stored(prompt: PseudoTerminal, server: ProtocolServer) -> None:
    prompt.type("x" * 4094 + "\n")
    prompt.expect(SECOND)
    prompt.type("x" * 4094 + "\n")
    assert (prompt.wait(), server.secrets["TYPED"]) == (0, "x" * 4094)


@pytest.mark.parametrize("keys", ["\x04", "\n\n"])
def test_typing_nothing_stores_nothing(
    prompt: PseudoTerminal, server: ProtocolServer, keys: str
) -> None:
    prompt.type(keys)
    assert (prompt.wait(), prompt.is_usual, server.exchanges) == (125, True, [])


@pytest.mark.parametrize("keys", ["\x03", "canary\x03", "\x04"])
def test_the_shells_prompt_follows_on_a_line_of_its_own(prompt: PseudoTerminal, keys: str) -> None:
    prompt.type(keys)
    shown = prompt.rest()
    assert (shown[:2], shown[-2:]) == ("\r\n", "\r\n")


@pytest.mark.parametrize("keys", ["\x03", "\x04"])
def test_so_it_does_after_a_question_without_an_answer(
    environment: dict[str, str], tmp_path: Path, keys: str
) -> None:
    command = ["strongroom", "secret", "delete", "GREETING"]
    with PseudoTerminal(command, environment, tmp_path) as screen:
        screen.expect(r"\[y/N\]: ")
        screen.type(keys)
        shown = screen.rest().removeprefix("^C")
    assert (shown[:2], shown[-2:]) == ("\r\n", "\r\n")


def test_ctrl_c_ends_with_130_and_restores_the_terminal(
    prompt: PseudoTerminal, server: ProtocolServer
) -> None:
    asked = prompt.is_usual
    prompt.type("canary\x03")
    ended = prompt.wait()
    assert (asked, ended, prompt.is_usual) == (False, 130, True)
    assert server.exchanges == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_that_ends_it_restores_the_terminal(
    prompt: PseudoTerminal, number: signal.Signals
) -> None:
    prompt.signal(number)
    assert (prompt.wait(), prompt.is_usual) == (128 + number, True)


def test_ctrl_z_restores_the_terminal_and_fg_asks_again_unseen(
    shell: PseudoTerminal, server: ProtocolServer
) -> None:
    shell.type("strongroom secret set TYPED\n")
    shell.expect(FIRST)
    shell.type("\x1a")
    shell.expect(PROMPT)
    stopped = shell.is_usual
    shell.type("fg\n")
    shell.expect(FIRST)
    shell.type("canary-typed\n")
    shell.expect(SECOND)
    shell.type("canary-typed\n")
    shown = shell.expect(f"(?s:.*?){PROMPT}")
    assert (stopped, shell.is_usual) == (True, True)
    assert ("canary" in shown, server.secrets["TYPED"]) == (False, "canary-typed")


def test_what_was_typed_before_the_prompt_is_no_part_of_the_value(
    environment: dict[str, str], server: ProtocolServer, tmp_path: Path
) -> None:
    early = ["sh", "-c", "read line; exec strongroom secret set TYPED"]
    with PseudoTerminal(early, environment, tmp_path) as screen:
        screen.type("begin\ncanary-early\n")
        screen.expect(FIRST)
        screen.type("canary-typed\n")
        screen.expect(SECOND)
        screen.type("canary-typed\n")
        assert (screen.wait(), server.secrets["TYPED"]) == (0, "canary-typed")


def test_a_waiting_process_shows_no_api_key(prompt: PseudoTerminal) -> None:
    environ = Path(f"/proc/{prompt.process}/environ").read_bytes()
    assert (API_KEY.encode() in environ, b"RUNLOOP_BASE_URL" in environ) == (False, True)


def test_faults_are_named_before_anything_is_asked(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = ["strongroom", "secret", "set", "TYPED"]
    without = environment | {"RUNLOOP_API_KEY": ""}
    with PseudoTerminal(command, without, tmp_path) as screen:
        shown = screen.rest()
        assert (screen.wait(), FIRST in shown, "RUNLOOP_API_KEY" in shown) == (125, False, True)
