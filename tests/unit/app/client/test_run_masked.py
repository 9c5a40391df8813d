"""``strongroom run --mask``: the output as it was, but for the values."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tests.unit.app.client.conftest import Run
from tests.unit.app.client.protocol_server import ProtocolServer
from tests.unit.app.client.pseudo_terminal import PseudoTerminal, is_running

MASKED = ("--mask", "--secret", "GREETING", "--")


def test_output_and_errors_are_masked_apart(run: Run) -> None:
    result = run(*MASKED, "sh", "-c", "echo out $GREETING; echo err $GREETING >&2")
    assert result.stdout == "out [masked]\n"
    assert result.stderr == "err [masked]\n"


def test_output_and_errors_into_one_place_stay_in_order(
    environment: dict[str, str], tmp_path: Path
) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo $i >&2; done"
    command = ["strongroom", "run", *MASKED, "sh", "-c", script]
    output = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    ).stdout
    assert output.split() == [str(i).encode() for i in range(1, 10) for _ in "12"]


def test_a_value_in_two_writes_is_masked(run: Run) -> None:
    result = run(*MASKED, "sh", "-c", "printf canary-; printf 'hello\\n'")
    assert result.stdout == "[masked]\n"


def test_most_of_a_value_at_the_end_is_masked(run: Run) -> None:
    result = run(*MASKED, "sh", "-c", "printf 'say canary-hell'")
    assert result.stdout == "say [masked]"


def test_large_output_arrives_complete(environment: dict[str, str]) -> None:
    """Megabytes, through a pipe that is full most of the time."""
    program = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 20_000)"
    command = ["strongroom", "run", *MASKED, sys.executable, "-c", program]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    assert output == bytes(range(256)) * 20_000


def test_a_value_too_short_to_mask_is_named(run: Run, server: ProtocolServer) -> None:
    server.secrets["PIN"] = "123"
    result = run("--mask", "--secret", "PIN", "--", "sh", "-c", "echo $PIN")
    assert result.stdout == "123\n"
    assert "PIN" in result.stderr
    assert "123" not in result.stderr


def test_an_empty_value_has_nothing_to_mask(run: Run, server: ProtocolServer) -> None:
    server.secrets["EMPTY"] = ""
    result = run("--mask", "--secret", "EMPTY", "--", "true")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_closed_reader_ends_the_command(environment: dict[str, str], tmp_path: Path) -> None:
    script = "strongroom run --mask --secret GREETING -- yes | head -n 1"
    shell = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, timeout=60, check=True
    )
    assert shell.stdout == b"y\n"


def test_a_background_process_does_not_delay_the_end(
    environment: dict[str, str], tmp_path: Path
) -> None:
    script = f"sleep 1000 & echo $! > {tmp_path}/id; echo done"
    command = ["strongroom", "run", *MASKED, "sh", "-c", script]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as ours:
        assert ours.wait(timeout=60) == 0
        os.kill(int((tmp_path / "id").read_text()), signal.SIGKILL)
        assert ours.stdout is not None
        assert ours.stdout.read() == b"done\n"


def test_output_of_a_background_process_is_masked_after_the_end(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """It is complete once its last writer has ended."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    script = f"(read line < {fifo}; echo out $GREETING; echo err $GREETING >&2) & echo started"
    command = ["strongroom", "run", *MASKED, "sh", "-c", script]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ours:
        assert ours.wait(timeout=60) == 0
        fifo.write_text("go\n")
        assert ours.stdout is not None
        assert ours.stderr is not None
        assert ours.stdout.read() == b"started\nout [masked]\n"
        assert ours.stderr.read() == b"err [masked]\n"


def test_a_stream_ends_with_its_last_writer(environment: dict[str, str], tmp_path: Path) -> None:
    """Standard output does, though a background process has standard error."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    script = f"(exec >&2; read line < {fifo}) & echo done"
    command = ["strongroom", "run", *MASKED, "sh", "-c", script]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.read() == b"done\n"
        fifo.write_text("go\n")


def test_killing_us_ends_the_command(environment: dict[str, str], tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/id; exec sleep 1000"
    ours = subprocess.Popen(
        ["strongroom", "run", *MASKED, "sh", "-c", script],
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    identity = tmp_path / "id"
    wait_until(lambda: identity.exists() and identity.read_text().endswith("\n"))
    ours.kill()
    ours.wait()
    wait_until(lambda: not is_running(int(identity.read_text())))


def test_the_monitor_has_no_open_descriptor_but_its_channel(run: Run) -> None:
    """It closes the others while the command already runs."""
    count = "n=$(ls /proc/$PPID/fd | wc -l)"
    script = (
        f"i=0; while [ $i -lt 1000 ]; do {count}; [ $n = 1 ] && break; i=$((i+1)); done; echo $n"
    )
    assert run(*MASKED, "sh", "-c", script).stdout.split() == ["1"]


ADOPT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER, as process 1 is of all
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_processes_that_lost_their_parent_are_reaped(
    environment: dict[str, str], tmp_path: Path
) -> None:
    orphan = "sh -c 'read x & echo $! > id'; read x"
    with subprocess.Popen(
        [sys.executable, "-c", ADOPT, "strongroom", "run", *MASKED, "sh", "-c", orphan],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
    ) as ours:
        identity = tmp_path / "id"
        wait_until(lambda: identity.exists() and identity.read_text().endswith("\n"))
        wait_until(lambda: not Path(f"/proc/{int(identity.read_text())}").exists())
        assert ours.stdin is not None
        ours.stdin.close()
        assert ours.wait() == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_become_dev_null(
    environment: dict[str, str], tmp_path: Path, closed: str
) -> None:
    command = "sh -c 'echo out; cat; echo err >&2; exit 3'"
    script = f"strongroom run {' '.join(MASKED)} {command} {closed}"
    shell = subprocess.run(
        ["sh", "-c", script],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    assert shell.returncode == 3
    assert shell.stdout == (b"" if " >&-" in f" {closed}" else b"out\n")
    assert shell.stderr == (b"" if "2>&-" in closed else b"err\n")


CAUGHT = sorted(
    signal.valid_signals()
    - {signal.SIGKILL, signal.SIGSTOP}
    - {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}  # faults of our own
    - {signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTIN, signal.SIGTTOU}
)
TELL_SIGNALS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
print("ready", flush=True)
while True:
    print(int(signal.sigwait(signal.valid_signals())), flush=True)
"""


def test_every_signal_reaches_the_command(environment: dict[str, str]) -> None:
    """But those that tell of faults or of our own children, files and terminals."""
    command = ["strongroom", "run", *MASKED, sys.executable, "-c", TELL_SIGNALS]
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"ready\n"
        for number in CAUGHT:
            ours.send_signal(number)
            assert ours.stdout.readline() == b"%d\n" % number
        ours.kill()


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> PseudoTerminal:
    """A shell under ``--mask``, with a key of several lines and a greeting."""
    environment |= {"PS1": "READY> ", "TERM": "dumb"}
    command = ["strongroom", "run", "--mask", "--secret", "KEY", "--secret", "GREETING"]
    return PseudoTerminal([*command, "--", "sh", "-i"], environment, tmp_path)


def test_values_are_masked_with_the_line_ends_of_a_terminal(
    terminal: PseudoTerminal, server: ProtocolServer
) -> None:
    server.secrets["KEY"] = "canary first line\ncanary second line\n"
    with terminal:
        terminal.expect("READY> ")
        terminal.type('echo "<$KEY>" $GREETING; echo $GREETING | base64; exit\n')
        screen = terminal.rest()
    assert "<[masked]\r\n> [masked]\r\n[masked]" in screen
    assert "canary" not in screen


def test_a_value_that_is_typed_is_masked_in_the_echo(
    terminal: PseudoTerminal, server: ProtocolServer
) -> None:
    server.secrets["KEY"] = "unused"
    with terminal:
        terminal.expect("READY> ")
        terminal.type("echo canary-hello\n")
        terminal.expect(r"echo \[masked\]\r\n\[masked\]\r\n")
