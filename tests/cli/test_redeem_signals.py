"""A signal while ``redeem`` waits ends it; while it writes values, no draft is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue

import pytest

import app.cli.redeem
from tests.cli.protocol_server import ProtocolServer

# Writes as the command does; the first draft is complete when the signal comes.
INTERRUPTED = """
import os, runpy, sys
from pathlib import Path
module, form, output, number = sys.argv[1:]
redeem = runpy.run_path(module)
rename = Path.replace
def interrupt(*paths):
    os.kill(os.getpid(), int(number))
    return rename(*paths)
Path.replace = interrupt
redeem["write"](form, Path(output), {"NAME": "canary", "OTHER": "canary"})
print("went on")
"""
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("form", ["json", "systemd-credentials"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "absent"])
def test_a_signal_takes_effect_when_all_is_written(
    tmp_path: Path, form: str, number: signal.Signals, *, there: bool
) -> None:
    output = tmp_path / "output"
    if there:
        output.touch() if form == "json" else output.mkdir()
    module = app.cli.redeem.__file__
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, form, str(output), str(int(number))],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-number, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
    written = sorted(path.name for path in output.iterdir()) if form != "json" else []
    assert written == (["NAME", "OTHER"] if form != "json" else [])


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
