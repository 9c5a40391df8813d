"""A signal while ``redeem`` waits ends it; while it writes values, no draft is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import pytest

from app.client.redeem import write
from tests.unit.app.client.protocol_server import ProtocolServer

VALUES = {"NAME": "canary", "OTHER": "canary"}
FORMS = ["json", "systemd-credentials"]
ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
MOST_STEPS = 200
# From Python 3.12 on, forking warns while other tests' servers have threads; the child uses none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
WHOLE_JSON = '{"NAME": "canary", "OTHER": "canary"}'


@dataclass(frozen=True)
class Ended:
    """How writing ended: as a process would, and whether anything came after it."""

    code: int
    went_on: bool


def interrupted(form: str, output: Path, number: int, step: int, *without: str) -> Ended:
    """The outcome when the signal comes before this step of writing, in a process of its own.

    A step is whatever Python reports of files.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write_until_interrupted(form, output, number, step, without)
            os.write(writer, b"went on")
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as after:
        went_on = bool(after.read())
    return Ended(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), went_on)


def write_until_interrupted(
    form: str, output: Path, number: int, step: int, without: Sequence[str]
) -> None:
    """Write as the command does, without some functions and flags of ``os``."""
    steps = count(1)

    def interrupt(event: str, _: object) -> None:
        is_step = event == "open" or event.startswith(("os.", "shutil.", "fcntl."))
        if is_step and next(steps) == step:
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in without:
        delattr(os, name)
    sys.addaudithook(interrupt)
    write(form, output, VALUES)


def at_every_step(
    place: Path, form: str, number: int, check: Callable[[Path], None], *without: str, there: bool
) -> None:
    """Interrupt at the first step, then at the second, until there is none left."""
    for step in range(1, MOST_STEPS):
        output = place / str(step) / "output"
        output.parent.mkdir()
        if there:
            output.write_text("old") if form == "json" else output.mkdir()
        done = interrupted(form, output, number, step, *without)
        if done.code == 0:
            assert step > 3
            return
        assert done == Ended(-number, went_on=False)
        check(output)
    pytest.fail("writing has no end")


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("there", [True, False], ids=["there", "absent"])
def test_a_signal_takes_effect_when_all_is_written(
    tmp_path: Path, form: str, number: signal.Signals, *, there: bool
) -> None:
    def check(output: Path) -> None:
        assert names(output.parent) == ["output"]
        if form == "json":
            assert output.read_text() == WHOLE_JSON
        else:
            assert names(output) == ["NAME", "OTHER"]

    output = tmp_path / "1" / "output"
    output.parent.mkdir()
    if there:
        output.touch() if form == "json" else output.mkdir()
    done = interrupted(form, output, number, 3)
    assert done == Ended(-number, went_on=False)
    check(output)


@pytest.mark.parametrize("there", [True, False], ids=["there", "absent"])
def test_a_kill_at_any_step_leaves_a_whole_file_or_none(tmp_path: Path, *, there: bool) -> None:
    def check(output: Path) -> None:
        assert names(output.parent) in (["output"], [])
        assert not output.exists() or output.read_text() in {"old", WHOLE_JSON}

    at_every_step(tmp_path, "json", signal.SIGKILL, check, there=there)


def test_a_kill_at_any_step_leaves_whole_files_in_an_existing_directory(
    tmp_path: Path,
) -> None:
    def check(output: Path) -> None:
        assert names(output.parent) == ["output"]
        assert [path.read_text() for path in output.iterdir() if path.name[0] == "."] == []
        assert {path.read_text() for path in output.iterdir()} <= {"canary"}

    at_every_step(tmp_path, "systemd-credentials", signal.SIGKILL, check, there=True)


@pytest.mark.parametrize("without", [[], ["O_TMPFILE"]], ids=["nameless", "with drafts"])
@pytest.mark.parametrize(("form", "there"), [("systemd-credentials", False), ("json", True)])
def test_the_draft_of_a_killed_start_is_removed_by_the_next(
    tmp_path: Path, form: str, without: list[str], *, there: bool
) -> None:
    def check(output: Path) -> None:
        other = output.with_name("other")
        assert interrupted(form, other, 0, 0, *without).code == 0
        assert set(names(output.parent)) <= {"output", "other"}
        if form != "json" and output.exists():
            assert names(output) == ["NAME", "OTHER"]

    at_every_step(tmp_path, form, signal.SIGKILL, check, *without, there=there)


@pytest.mark.parametrize("without", [[], ["O_TMPFILE"]], ids=["nameless", "with drafts"])
def test_a_file_named_like_a_draft_is_not_removed(tmp_path: Path, without: list[str]) -> None:
    for name in (".strongroom-draft", ".strongroom-backup", ".strongroom"):
        (tmp_path / name).mkdir()
    (tmp_path / ".strongroom-draft-file").touch()
    (tmp_path / ".strongroom-draft-link").symlink_to(tmp_path)
    before = names(tmp_path)
    assert interrupted("json", tmp_path / "output", 0, 0, *without).code == 0
    assert names(tmp_path) == sorted([*before, "output"])


def test_an_interrupt_before_the_command_starts_has_the_exit_code_of_shells(
    server: ProtocolServer, image: Path, environment: dict[str, str]
) -> None:
    process: SimpleQueue[int] = SimpleQueue()
    server.troubles.append(lambda _, __: os.kill(process.get(), signal.SIGINT))
    environment["STRONGROOM_INJECTION_TOKEN"] = server.issue({"HELLO": "GREETING"})
    command = [sys.executable, "-I", str(image), "--", "echo", "started"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as started:
        process.put(started.pid)
        assert started.communicate(timeout=60)[0] == b""
    assert started.returncode == 130
