"""``strongroom run --mask`` on a real terminal, when something goes wrong."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest

from app.client.terminal.output_stream import OutputStream
from app.masking.masker import Masker
from app.masking.search import ValueSearch
from tests.support.waiting import wait_until
from tests.unit.app.client.job_shell import PROMPT, RUN, enter, exit_code
from tests.unit.app.client.pseudo_terminal import (
    PseudoTerminal,
    is_stopped,
    is_waiting,
)

RUN_MASKED = f"{RUN} --mask --"


def test_drain_returns_while_output_continues() -> None:
    source, sink = os.open("/dev/zero", os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)
    output = OutputStream(source, sink, Masker(ValueSearch(["canary-hello"])))
    output.drain()
    assert output.open
    os.close(source)
    os.close(sink)


@pytest.fixture
def errors(tmp_path: Path) -> Iterator[int]:
    """A pipe in the shell's directory, which nobody reads yet."""
    os.mkfifo(tmp_path / "errors")
    pipe = os.open(tmp_path / "errors", os.O_RDWR)
    yield pipe
    os.close(pipe)


def is_full(pipe: int) -> bool:
    """Return True if a writer would wait; pages of the pipe may be partly filled then."""
    return not select.select([], [pipe], [], 0)[1]


@contextmanager
def reading(pipe: int) -> Iterator[None]:
    reader = subprocess.Popen(["cat"], stdin=pipe, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        reader.kill()
        reader.wait()


def test_a_printing_background_process_does_not_delay_the_end(
    shell: PseudoTerminal, errors: int
) -> None:
    enter(shell, f"{RUN_MASKED} sh -c 'yes >&2 & read x; exit 3' 2> errors")
    wait_until(lambda: is_full(errors))
    shell.type("\n")
    with reading(errors):
        assert exit_code(shell) == 3
        assert shell.is_usual


def test_ctrl_z_works_while_output_continues(shell: PseudoTerminal, errors: int) -> None:
    """It has a session of its own, so that it does not stop with the command."""
    enter(shell, f"{RUN_MASKED} sh -c 'setsid yes >&2 & exec cat' 2> errors")
    wait_until(lambda: is_full(errors))
    with reading(errors):
        shell.type("\x1a")
        shell.expect("Stopped")
        shell.expect(PROMPT)
        assert shell.is_usual


def test_the_terminal_is_restored_after_the_monitor_was_killed(
    shell: PseudoTerminal, tmp_path: Path
) -> None:
    enter(shell, f"{RUN_MASKED} sh -c 'echo $PPID > monitor; echo begun; exec sleep 1000'")
    shell.expect("begun")
    os.kill(int((tmp_path / "monitor").read_text()), signal.SIGKILL)
    assert exit_code(shell) == 128 + signal.SIGHUP
    assert shell.is_usual


def test_the_terminal_is_restored_after_the_monitor_of_a_stopped_job_was_killed(
    shell: PseudoTerminal, tmp_path: Path
) -> None:
    enter(shell, f"{RUN_MASKED} sh -c 'echo $PPID > monitor; echo begun; exec sleep 1000'")
    shell.expect("begun")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(PROMPT)
    os.kill(int((tmp_path / "monitor").read_text()), signal.SIGKILL)
    shell.type("fg\n")
    shell.expect("exec sleep 1000.\r\n")
    assert exit_code(shell) == 128 + signal.SIGHUP
    assert shell.is_usual


def run_changed(shell: PseudoTerminal, place: Path, change: str, command: str) -> None:
    """Run a command under ``--mask`` after something in us was changed."""
    script = f"""
import os, signal, sys
from app.client.terminal import relay
from app.client.terminal.start import Job, run_job
from app.masking.search import ValueSearch
{change}
search = ValueSearch(["canary-hello"])
sys.exit(run_job(Job(["sh", "-c", "{command}"], dict(os.environb), search)))
"""
    (place / "changed.py").write_text(script)
    root, python = quote(str(Path(__file__).parents[4])), quote(sys.executable)
    enter(shell, f"PYTHONPATH={root} {python} changed.py")


def test_the_terminal_is_restored_after_an_internal_error(
    shell: PseudoTerminal, tmp_path: Path
) -> None:
    change = "relay.OutputStream.pump = lambda _: 1 / 0"
    run_changed(shell, tmp_path, change, "echo begun; exec sleep 1000")
    shell.expect("ZeroDivisionError")
    assert exit_code(shell) == 1
    assert shell.is_usual


def test_a_signal_just_after_the_keys_were_taken_reaches_the_command(
    shell: PseudoTerminal, tmp_path: Path
) -> None:
    change = """
take = relay.Keyboard.take
relay.Keyboard.take = lambda self: (take(self), os.kill(os.getpid(), signal.SIGTERM))"""
    run_changed(shell, tmp_path, change, "trap 'exit 5' TERM; while :; do read x; done")
    assert exit_code(shell) in {5, 128 + signal.SIGTERM}  # perhaps before its trap
    assert shell.is_usual


def test_keys_that_the_shell_read_after_ctrl_z_are_not_waited_for(
    shell: PseudoTerminal, tmp_path: Path, errors: int
) -> None:
    """We are kept from reading, so that the stop and the keys are there at once."""
    script = "echo $$ $PPID > ids; exec head -c 1000000 /dev/zero >&2"
    enter(shell, f"{RUN_MASKED} sh -c '{script}' 2> errors")
    wait_until(lambda: is_full(errors))
    command, monitor = map(int, (tmp_path / "ids").read_text().split())
    os.kill(command, signal.SIGTSTP)
    wait_until(lambda: is_stopped(command) and is_waiting(monitor))
    shell.type("fg\n")
    with reading(errors):
        shell.expect("Stopped")
        shell.expect(PROMPT)
        shell.expect("2> ?errors\r\n")
        assert exit_code(shell) == 0
