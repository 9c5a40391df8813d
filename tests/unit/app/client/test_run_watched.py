"""``strongroom run --watch``: the command runs on with what it has, and again with new values."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support.waiting import wait_until
from tests.unit.app.client.conftest import Run
from tests.unit.app.client.job_shell import PROMPT, enter, exit_code
from tests.unit.app.client.protocol_server import ProtocolServer, refusal
from tests.unit.app.client.pseudo_terminal import PseudoTerminal, is_running

pytestmark = pytest.mark.slow

# Pauses pass a hundred times as fast; the grace of a command is the first argument, in seconds.
FAST = """
import sys, time
from app.client import watch
from app.client.terminal import graceful_stop
sleep = time.sleep
watch.ChangeWatch.__init__.__kwdefaults__["pause"] = lambda seconds: sleep(seconds / 100)
graceful_stop.GRACE_SECONDS = float(sys.argv.pop(1))
sys.argv[0] = "strongroom"
from app.cli.main import main
main()
"""
WAIT = "while :; do sleep 0.01; done"
SHOW = "echo got $GREETING; exec sleep 1000"

EITHER_WAY = pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])


def command_line(*arguments: str, grace: float = 60) -> list[str]:
    ours = [sys.executable, "-c", FAST, str(grace), "run", "--watch", "--secret", "GREETING"]
    return [*ours, *arguments]


class Watched:
    """A running ``strongroom run --watch``, what it prints, and the server of its secret."""

    def __init__(self, process: "subprocess.Popen[str]", server: ProtocolServer) -> None:
        self.process = process
        self._server = server
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdout: IO[str] = process.stdout
        self.stderr: IO[str] = process.stderr

    def line(self) -> str:
        return self.stdout.readline()

    def set(self, value: str) -> None:
        self._server.secrets["GREETING"] = value
        self._server.updated["GREETING"] = self._server.row("GREETING")["update_time_ms"] + 1

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def watched(
    environment: dict[str, str],
    server: ProtocolServer,
    *arguments: str,
    grace: float = 60,
) -> Iterator[Watched]:
    process = subprocess.Popen(
        command_line(*arguments, grace=grace),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Watched(process, server)
        finally:
            process.kill()


@EITHER_WAY
def test_a_new_value_starts_the_command_again(
    environment: dict[str, str], server: ProtocolServer, mask: tuple[str, ...]
) -> None:
    script = "echo got ${#GREETING}; exec sleep 1000"
    with watched(environment, server, *mask, "--", "sh", "-c", script) as ours:
        assert ours.line() == "got 12\n"
        for length in (20, 30):
            ours.set("x" * length)
            assert ours.line() == f"got {length}\n"
            changed = "GREETING changed: the command is started again\n"
            assert ours.stderr.readline() == f"strongroom run: {changed}"
        assert ours.end() == -signal.SIGTERM


def test_a_file_in_memory_has_the_new_value(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    script = "cat $KEY; echo; exec sleep 1000"
    with watched(environment, server, "--file", "KEY=GREETING", "--", "sh", "-c", script) as ours:
        assert ours.line() == "canary-hello\n"
        ours.set("second")
        assert ours.line() == "second\n"


def test_new_values_are_masked(environment: dict[str, str], server: ProtocolServer) -> None:
    with watched(environment, server, "--mask", "--", "sh", "-c", SHOW) as ours:
        for value in ("canary-second", "canary-third"):
            assert ours.line() == "got [masked]\n"
            ours.set(value)
        assert ours.line() == "got [masked]\n"


@EITHER_WAY
@pytest.mark.parametrize("code", [0, 42])
def test_the_commands_own_end_ends_us(
    environment: dict[str, str], server: ProtocolServer, mask: tuple[str, ...], code: int
) -> None:
    with watched(environment, server, *mask, "--", "sh", "-c", f"exit {code}") as ours:
        assert ours.process.wait(60) == code
        assert (ours.stdout.read(), ours.stderr.read()) == ("", "")


def test_the_end_of_a_command_that_was_started_again_ends_us(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    script = 'echo got $GREETING; test "$GREETING" = second && exit 7; exec sleep 1000'
    with watched(environment, server, "--", "sh", "-c", script) as ours:
        assert ours.line() == "got canary-hello\n"
        ours.set("second")
        assert ours.process.wait(60) == 7


def test_a_command_that_ignores_sigterm_is_killed(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    script = f"trap '' TERM; echo got $GREETING; {WAIT}"
    with watched(environment, server, "--", "sh", "-c", script, grace=0.2) as ours:
        assert ours.line() == "got canary-hello\n"
        ours.set("second")
        assert ours.line() == "got second\n"


def test_it_is_started_again_when_all_of_its_group_have_ended(
    environment: dict[str, str], server: ProtocolServer, tmp_path: Path
) -> None:
    """The shell ends at once; the server that it started needs a moment."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    told = f"trap 'read x < {fifo}; echo child ended; exit' TERM"
    script = f'echo got $GREETING; sh -c "{told}; echo ready; {WAIT}" & wait'
    with watched(environment, server, "--", "sh", "-c", script) as ours:
        assert [ours.line(), ours.line()] == ["got canary-hello\n", "ready\n"]
        ours.set("second")
        fifo.write_text("go\n")
        assert [ours.line(), ours.line()] == ["child ended\n", "got second\n"]


def test_a_signal_of_the_user_while_the_command_ends_is_the_end(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    script = f"trap 'echo asked; n=$((n+1)); [ $n = 2 ] && exit 3' TERM; echo ready; {WAIT}"
    with watched(environment, server, "--", "sh", "-c", script) as ours:
        assert ours.line() == "ready\n"
        ours.set("second")
        assert ours.line() == "asked\n"
        assert ours.end() == 3
        assert ours.stdout.read() == "asked\n"


@EITHER_WAY
def test_other_signals_are_passed_on(
    environment: dict[str, str], server: ProtocolServer, mask: tuple[str, ...]
) -> None:
    script = f"trap 'echo noticed; exit 9' USR1; echo ready; {WAIT}"
    with watched(environment, server, *mask, "--", "sh", "-c", script) as ours:
        assert ours.line() == "ready\n"
        ours.process.send_signal(signal.SIGUSR1)
        assert ours.line() == "noticed\n"
        assert ours.process.wait(60) == 9


def test_killing_us_ends_the_command(environment: dict[str, str], server: ProtocolServer) -> None:
    with watched(environment, server, "--", "sh", "-c", "echo $$; exec sleep 1000") as ours:
        command = int(ours.line())
        ours.process.kill()
        wait_until(lambda: not is_running(command))


def test_without_masking_the_streams_are_ours(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    script = "readlink /proc/self/fd/1 /proc/$PPID/fd/1; echo; sleep 1000"
    with watched(environment, server, "--", "sh", "-c", script) as ours:
        mine = Path(f"/proc/{ours.process.pid}/fd/1").readlink()
        assert ours.line() == f"{mine}\n"


def test_a_server_that_is_away_is_named_and_the_command_goes_on(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    with watched(environment, server, "--", "sh", "-c", SHOW) as ours:
        assert ours.line() == "got canary-hello\n"
        server.troubles.append(lambda _, __: refusal(403, "forbidden", "Not now."))
        told = ours.stderr.readline()
        assert told.startswith("strongroom run: the server cannot be asked for changes, and ")
        assert ours.stderr.readline() == "strongroom run: the server can be asked again\n"
        ours.set("second")
        assert ours.line() == "got second\n"


def test_a_deleted_secret_is_named_and_the_command_goes_on(
    environment: dict[str, str], server: ProtocolServer
) -> None:
    with watched(environment, server, "--", "sh", "-c", SHOW) as ours:
        assert ours.line() == "got canary-hello\n"
        del server.secrets["GREETING"]
        told = "GREETING was deleted: the command goes on with its value\n"
        assert ours.stderr.readline() == f"strongroom run: {told}"
        server.secrets["GREETING"] = ""
        ours.set("second")
        assert ours.line() == "got second\n"


def test_a_key_that_may_not_look_starts_nothing(run: Run, server: ProtocolServer) -> None:
    refused = refusal(403, "scope_missing", "The API key lacks secrets:read.")
    server.troubles.append(lambda _, __: refused)
    result = run("--watch", "--secret", "GREETING", "--", "touch", "started")
    assert (result.returncode, "lacks secrets:read" in result.stderr) == (123, True)
    assert {exchange.path for exchange in server.exchanges} == {"/v1/secrets/GREETING"}


@pytest.mark.parametrize("seconds", ["0", "3601", "nan", "1.5"])
def test_an_interval_out_of_bounds_is_refused(run: Run, seconds: str) -> None:
    watch = ("--watch", "--watch-interval", seconds)
    assert run(*watch, "--secret", "GREETING", "--", "true").returncode == 125


def test_an_interval_without_watch_is_refused(run: Run, server: ProtocolServer) -> None:
    done = run("--watch-interval", "5", "--secret", "GREETING", "--", "true")
    assert (done.returncode, server.exchanges) == (125, [])
    assert "  --watch-interval needs --watch.\n" in done.stderr


@EITHER_WAY
def test_restarts_leave_no_descriptor_and_no_process_behind(
    environment: dict[str, str], server: ProtocolServer, mask: tuple[str, ...]
) -> None:
    script = "echo got ${#GREETING}; exec sleep 1000"
    with watched(environment, server, *mask, "--", "sh", "-c", script) as ours:
        assert ours.line() == "got 12\n"
        wait_until(lambda: len(server.exchanges) > 5)  # it is in its loop, and looks
        before = min(descriptors(ours.process.pid) for _ in range(100))
        for length in (20, 30, 40):
            ours.set("x" * length)
            assert ours.line() == f"got {length}\n"
        wait_until(lambda: descriptors(ours.process.pid) <= before)
        wait_until(lambda: children(ours.process.pid) == 1)


def descriptors(process: int) -> int:
    return len([*Path(f"/proc/{process}/fd").iterdir()])


def children(process: int) -> int:
    return len(Path(f"/proc/{process}/task/{process}/children").read_text().split())


@pytest.fixture
def fast_shell(environment: dict[str, str], tmp_path: Path) -> Iterator[PseudoTerminal]:
    """A shell whose ``watched`` is ``strongroom run --watch`` on the fast clock."""
    (tmp_path / "fast.py").write_text(FAST)
    root = Path(__file__).parents[4]
    environment |= {"PS1": PROMPT, "TERM": "xterm", "PYTHONPATH": str(root)}
    with PseudoTerminal(["sh", "-i"], environment, tmp_path) as shell:
        shell.expect(PROMPT)
        line = f'watched() {{ {sys.executable} fast.py 60 run --watch --secret GREETING "$@"; }}'
        enter(shell, line)
        shell.expect(PROMPT)
        yield shell


def new_value(server: ProtocolServer, value: str) -> None:
    server.secrets["GREETING"] = value
    server.updated["GREETING"] = server.row("GREETING")["update_time_ms"] + 1


def assert_ctrl_c_ends_it(shell: PseudoTerminal) -> None:
    shell.type("\x03")
    assert exit_code(shell) == 128 + signal.SIGINT
    assert shell.is_usual


@EITHER_WAY
def test_on_a_terminal_it_restarts_and_ctrl_c_ends_it(
    fast_shell: PseudoTerminal, server: ProtocolServer, mask: tuple[str, ...]
) -> None:
    script = "'echo got ${#GREETING}; test -t 0 && test -t 1 && test -t 2 && exec cat'"
    fast_shell.type(f"watched {' '.join(mask)} -- sh -c {script}\n")
    fast_shell.expect("\ngot 12\r\n")
    for length in (20, 30):
        new_value(server, "x" * length)
        fast_shell.expect("strongroom run: GREETING changed: the command is started again\r\n")
        fast_shell.expect(f"got {length}\r\n")
    fast_shell.type("typed\n")
    fast_shell.expect("typed\r\ntyped\r\n")
    assert_ctrl_c_ends_it(fast_shell)


@EITHER_WAY
def test_ctrl_z_stops_it_and_fg_continues_it(
    fast_shell: PseudoTerminal, server: ProtocolServer, mask: tuple[str, ...]
) -> None:
    fast_shell.type(f"watched {' '.join(mask)} -- sh -c 'echo got ${{#GREETING}}; exec cat'\n")
    fast_shell.expect("\ngot 12\r\n")
    fast_shell.type("\x1a")
    fast_shell.expect("Stopped")
    fast_shell.expect(PROMPT)
    assert fast_shell.is_usual
    new_value(server, "x" * 20)
    fast_shell.type("fg\n")
    fast_shell.expect("\ngot 20\r\n")
    fast_shell.type("typed\n")
    fast_shell.expect("typed\r\ntyped\r\n")
    assert_ctrl_c_ends_it(fast_shell)


@EITHER_WAY
def test_ctrl_c_while_the_command_ends_is_the_end(
    fast_shell: PseudoTerminal, server: ProtocolServer, mask: tuple[str, ...]
) -> None:
    script = 'trap "echo asked" TERM; echo ready; while :; do sleep 0.01; done'
    fast_shell.type(f"watched {' '.join(mask)} -- sh -c '{script}'\n")
    fast_shell.expect("\nready\r\n")
    new_value(server, "second")
    fast_shell.expect("\nasked\r\n")
    assert_ctrl_c_ends_it(fast_shell)
