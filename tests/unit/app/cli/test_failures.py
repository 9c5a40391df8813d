"""Failures of the command: one clear line, an exit code, no traceback and no value."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.errors import EXIT_CODES
from app.cli.main import strongroom
from app.services.accounts import Accounts
from tests.support.terminal import Terminal

CANARY = "canary-c0de"


def test_before_init_every_command_says_what_is_missing(bare: Terminal) -> None:
    refused = bare.run("account", "list")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr == "strongroom: STRONGROOM_KEYS (entry 1): the file cannot be read.\n"


def test_an_unexpected_error_shows_its_class_and_place_only(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Accounts) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(Accounts, "list", fail)
    failed = terminal.run("account", "list")
    assert (failed.exit_code, failed.stdout) == (70, "")
    assert failed.stderr.startswith("strongroom: internal error: RuntimeError at ")
    assert failed.stderr.count("\n") == 1
    assert CANARY not in failed.stderr


def test_a_pipe_that_nobody_reads_any_more_ends_a_command_in_silence(terminal: Terminal) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        ended = subprocess.run(
            [Path(sys.executable).parent / "strongroom", "account", "list"],
            env=terminal.environ,
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("kind", EXIT_CODES)
def test_no_exit_code_is_one_of_the_shell_or_of_click(kind: type[Exception]) -> None:
    assert EXIT_CODES[kind] in {1, 3, 4, 5}


def test_every_command_has_a_help_text() -> None:
    context = strongroom.make_context("strongroom", [], resilient_parsing=True)
    for name in strongroom.list_commands(context):
        command = strongroom.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str()


def test_ctrl_c_ends_any_command_with_130(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Accounts) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Accounts, "list", interrupt)
    ended = terminal.run("account", "list")
    assert (ended.exit_code, ended.stdout) == (130, "")
    assert ended.stderr == "strongroom: interrupted\n"
