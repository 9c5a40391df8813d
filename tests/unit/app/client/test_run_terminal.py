"""``strongroom run`` on a real terminal: a job of the user's shell like any other."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.programs import require
from tests.support.waiting import wait_until
from tests.unit.app.client.job_shell import PROMPT, RUN, echoed, enter, exit_code
from tests.unit.app.client.pseudo_terminal import PseudoTerminal, is_running, is_waiting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("mask", ["", " --mask"], ids=["unmasked", "masked"]),
]


def test_the_exit_code_is_the_commands(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'exit 42'")
    assert exit_code(shell) == 42


def test_the_shell_sees_the_signal_that_ended_it(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'kill -KILL $$'")
    shell.expect("Killed")
    assert exit_code(shell) == 128 + signal.SIGKILL


def test_the_command_is_on_a_terminal(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'test -t 0 && test -t 1 && test -t 2 && tty && echo all'")
    shell.expect("/dev/pts/[0-9]+\r\nall\r\n")
    assert exit_code(shell) == 0


def test_ctrl_c_interrupts_the_command_and_not_the_shell(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'echo begun; exec sleep 1000'")
    shell.expect("begun")
    shell.type("\x03")
    assert exit_code(shell) == 128 + signal.SIGINT


def test_a_command_that_handles_ctrl_c_goes_on(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"""{RUN}{mask} -- sh -c 'trap "echo handled" INT; echo begun; read x; exit 3'""")
    shell.expect("begun")
    shell.type("\x03")
    shell.expect("handled")
    shell.type("\n")
    assert exit_code(shell) in {3, 130}  # POSIX lets the read end by the signal or go on


def test_ctrl_backslash_quits_the_command(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'ulimit -c 0; echo begun; exec sleep 1000'")
    shell.expect("begun")
    shell.type("\x1c")
    assert exit_code(shell) == 128 + signal.SIGQUIT


def test_ctrl_z_stops_the_job_and_fg_continues_it(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- cat")
    echoed(shell, "one")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    assert shell.is_usual
    shell.type("fg\n")
    shell.expect("-- cat\r\n")
    echoed(shell, "two")
    shell.type("\x04")
    assert exit_code(shell) == 0


def test_a_stopped_job_can_be_continued_twice(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- cat")
    for word in ("one", "two"):
        echoed(shell, word)
        shell.type("\x1a")
        shell.expect("Stopped")
        shell.expect(PROMPT)
        shell.type("fg\n")
        shell.expect("-- cat\r\n")
    shell.type("\x03")
    assert exit_code(shell) == 128 + signal.SIGINT


def test_a_stopped_job_goes_on_in_the_background(
    shell: PseudoTerminal, mask: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    enter(shell, f"{RUN}{mask} -- sh -c 'echo begun; read x < go; echo gone on'")
    shell.expect("begun")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    enter(shell, "bg")
    shell.expect(PROMPT)
    enter(shell, "echo > go")
    shell.expect("gone on")
    enter(shell, "wait; echo waited")
    shell.expect("waited")


def test_a_job_in_the_background_stops_when_it_reads_the_terminal(
    shell: PseudoTerminal, mask: str, tmp_path: Path
) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'echo $$ > id; exec cat' &")
    shell.expect(PROMPT)
    wait_until((tmp_path / "id").exists)
    wait_until(lambda: has_stopped(shell))
    shell.type("fg\n")
    shell.expect("exec cat.\r\n")
    echoed(shell, "typed")
    shell.type("\x04")
    assert exit_code(shell) == 0


def has_stopped(shell: PseudoTerminal) -> bool:
    enter(shell, "jobs; echo listed")
    return "Stopped" in shell.expect("(?s).*listed\r\n") and bool(shell.expect(PROMPT))


def test_the_window_has_our_size_and_follows_it(shell: PseudoTerminal, mask: str) -> None:
    shell.resize(30, 100)
    script = 'trap "stty size" WINCH; stty size; while :; do sleep 0.1; done'
    enter(shell, f"{RUN}{mask} -- sh -c '{script}'")
    shell.expect("30 100\r\n")
    shell.resize(41, 123)
    shell.expect("41 123\r\n")
    shell.type("\x03")
    assert exit_code(shell) == 128 + signal.SIGINT


def test_an_interactive_shell_runs_inside(shell: PseudoTerminal, mask: str) -> None:
    shell.type(f"{RUN}{mask} -- sh -i\n")
    shell.expect("sh -i\r\n")
    shell.expect(PROMPT)
    enter(shell, "echo $((6*7))")
    shell.expect("42\r\n")
    shell.expect(PROMPT)
    enter(shell, "cat")
    echoed(shell, "one")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    enter(shell, "fg")
    shell.expect("cat\r\n")
    echoed(shell, "two")
    shell.type("\x04")
    shell.expect(PROMPT)
    enter(shell, "exit 5")
    assert exit_code(shell) == 5
    assert shell.is_usual


def test_a_pager_runs_stops_and_goes_on(shell: PseudoTerminal, mask: str, tmp_path: Path) -> None:
    require("less")
    (tmp_path / "text").write_text("".join(f"line {i}\n" for i in range(1000)))
    enter(shell, f"{RUN}{mask} -- sh -c 'echo $$ > id; exec less text'")
    shell.expect("line 22\r\n")
    wait_until(lambda: is_waiting(int((tmp_path / "id").read_text())))
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    assert shell.is_usual
    shell.type("fg\n")
    shell.expect("line 22\r\n")
    shell.type(" ")
    shell.expect("line 44\r\n")
    shell.type("q")
    assert exit_code(shell) == 0
    assert shell.is_usual


def test_a_pager_at_the_end_of_a_pipeline_gets_the_keys(shell: PseudoTerminal, mask: str) -> None:
    require("less")
    enter(shell, f"seq 1000 | {RUN}{mask} -- less")
    shell.expect("\n23\r\n")
    shell.type("q")
    assert exit_code(shell) == 0
    assert shell.is_usual


def test_a_pager_gets_the_keys_and_the_command_does_not(shell: PseudoTerminal, mask: str) -> None:
    require("less")
    enter(shell, f"{RUN}{mask} -- seq 1000 | less")
    shell.expect("\n23\r\n")
    shell.type("q")
    assert exit_code(shell) == 0
    assert shell.is_usual


def test_ctrl_c_ends_a_whole_pipeline(shell: PseudoTerminal, mask: str) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'echo begun >&2; exec sleep 1000' | cat")
    shell.expect("begun")
    shell.type("\x03")
    assert exit_code(shell) == 128 + signal.SIGINT


def test_the_command_ends_with_its_terminal(
    shell: PseudoTerminal, mask: str, tmp_path: Path
) -> None:
    enter(shell, f"{RUN}{mask} -- sh -c 'echo $$ > id; echo begun; exec sleep 1000'")
    shell.expect("begun")
    command = int((tmp_path / "id").read_text())
    shell.hang_up()
    wait_until(lambda: not is_running(command))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_sent_to_us_reaches_the_command(
    shell: PseudoTerminal, mask: str, tmp_path: Path, number: int
) -> None:
    enter(
        shell, f"sh -c 'echo $$ > ours; exec {RUN}{mask} -- sh -c \"echo begun; exec sleep 1000\"'"
    )
    shell.expect("begun")
    os.kill(int((tmp_path / "ours").read_text()), number)
    assert exit_code(shell) == 128 + number
    assert shell.is_usual
