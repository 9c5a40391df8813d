"""``strongroom run --mask`` on a real terminal, while the command prints more than that keeps."""

import os
from pathlib import Path

from tests.unit.app.client.job_shell import PROMPT, RUN, enter, exit_code
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

LINES = 10_000
MUCH = f'seq -f "%.0f: $GREETING" {LINES}'
LAST = rf"\n{LINES}: \[masked\]\r+\n"


def enter_masked(shell: PseudoTerminal, script: str) -> None:
    enter(shell, f"{RUN} --mask -- sh -c '{script}'")


def test_all_of_the_output_is_masked_and_in_order_before_the_end(shell: PseudoTerminal) -> None:
    enter_masked(shell, f"{MUCH}; exit 3")
    shown = shell.expect(rf"(?s)1: .*{LAST}")
    assert shown == "".join(f"{number + 1}: [masked]\r\n" for number in range(LINES))
    assert exit_code(shell) == 3


def test_all_of_the_output_comes_before_the_end_of_a_killed_command(shell: PseudoTerminal) -> None:
    enter_masked(shell, f"{MUCH}; kill -9 $$")
    shell.expect(LAST)
    assert exit_code(shell) == 137
    assert shell.is_usual


def test_output_that_was_stopped_goes_on(shell: PseudoTerminal) -> None:
    enter_masked(shell, f"{MUCH}; exit 3")
    shell.expect("1: ")
    shell.type("\x13")
    shell.type("\x11")
    shell.expect(LAST)
    assert exit_code(shell) == 3


def test_output_of_a_background_process_goes_on_after_the_end(
    shell: PseudoTerminal, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    enter_masked(shell, f"(read x < go; {MUCH}) & exit 3")
    assert exit_code(shell) == 3
    shell.type("echo > go\n")
    shell.expect(LAST)


def test_a_printing_command_is_stopped_and_goes_on(shell: PseudoTerminal) -> None:
    enter_masked(shell, "while :; do echo $GREETING; done")
    shell.expect("masked")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    assert shell.is_usual
    shell.type("fg\n")
    shell.expect("masked")
    shell.resize(30, 90)
    shell.type("\x03")
    assert exit_code(shell) == 130
    assert shell.is_usual
