"""``strongroom run --mask`` on a real terminal, when something goes wrong."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli.masked_run.masker import Masker
from app.cli.masked_run.output_stream import OutputStream
from app.cli.masked_run.value_search import ValueSearch
from tests.cli.job_shell import PROMPT, RUN, enter, exit_code
from tests.cli.terminal import Terminal, unread_bytes, wait_until

RUN_MASKED = f"{RUN} --mask --"
PIPE_BYTES = 65536  # pipe(7)


def test_what_keeps_coming_does_not_keep_us() -> None:
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
    return unread_bytes(pipe) == PIPE_BYTES


@contextmanager
def reading(pipe: int) -> Iterator[None]:
    reader = subprocess.Popen(["cat"], stdin=pipe, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        reader.kill()
        reader.wait()


def test_a_process_left_behind_that_keeps_printing_does_not_keep_us(
    shell: Terminal, errors: int
) -> None:
    enter(shell, f"{RUN_MASKED} sh -c 'yes >&2 & read x; exit 3' 2> errors")
    wait_until(lambda: is_full(errors))
    shell.type("\n")
    with reading(errors):
        assert exit_code(shell) == 3
        assert shell.is_usual


def test_a_process_that_keeps_printing_does_not_keep_ctrl_z(shell: Terminal, errors: int) -> None:
    """It has a session of its own, so that it does not stop with the command."""
    enter(shell, f"{RUN_MASKED} sh -c 'setsid yes >&2 & exec cat' 2> errors")
    wait_until(lambda: is_full(errors))
    with reading(errors):
        shell.type("\x1a")
        shell.expect("Stopped")
        shell.expect(PROMPT)
        assert shell.is_usual
