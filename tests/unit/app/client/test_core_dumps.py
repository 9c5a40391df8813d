"""No process that holds keys or values leaves its memory in a core file."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.app.client.core_files import WANTED, core_files, require_core_files
from tests.unit.app.client.protocol_server import ProtocolServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]
PR_GET_DUMPABLE = 3  # prctl(2)

ENTRY_POINTS = {
    "command": "from app.cli import main; sys.argv[1:] = ['account', '--help']; main.main()",
    "module": "from app.client import redeem; redeem.main(['--', 'no-such-command'], {})",
    "master": "runpy.run_path('config/gunicorn.py')",
    "worker": "import wsgi",
}
LOOK = f"""
import atexit, ctypes, os, resource, runpy, sys
def look():
    dumpable = ctypes.CDLL(None).prctl({PR_GET_DUMPABLE}, 0, 0, 0, 0)
    os.write(2, f"{{dumpable}} {{resource.getrlimit(resource.RLIMIT_CORE)[0]}}".encode())
atexit.register(look)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux")
@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_every_entry_point_forbids_cores(entry: str, tmp_path: Path) -> None:
    script = f'{WANTED}exec {sys.executable} -c "$0"'
    ended = subprocess.run(
        ["sh", "-c", script, LOOK + ENTRY_POINTS[entry]],
        cwd=ROOT,
        env={"STRONGROOM_HOME": str(tmp_path / "home"), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr.endswith("0 0"), ended.stderr


def test_an_operators_command_that_crashes_leaves_no_core_file(
    tmp_path: Path,
) -> None:
    require_core_files(tmp_path)
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("a-token")
    with socket.create_server(("127.0.0.1", 0)) as vault:
        keys = f"vault-transit:http://127.0.0.1:{vault.getsockname()[1]}/transit/key"
        command = subprocess.Popen(
            ["sh", "-c", f"{WANTED}exec strongroom check"],
            cwd=tmp_path,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
                "STRONGROOM_HOME": str(tmp_path / "home"),
                "STRONGROOM_KEYS": f"{keys}?token_file={token}",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        connection, _ = vault.accept()  # it has read the token, and waits for an answer
        with connection:
            command.send_signal(signal.SIGABRT)
            assert command.wait(60) == -signal.SIGABRT
    assert core_files(tmp_path) == []


LIMITS = "ulimit -Sc; ulimit -Hc"
STARTED_WITH = "ulimit -Sc 7; "


def test_a_redeemed_command_has_the_limits_that_redeem_was_started_with(
    server: ProtocolServer, image: Path
) -> None:
    environment = {
        "RUNLOOP_BASE_URL": server.url,
        "STRONGROOM_INJECTION_TOKEN": server.issue({"GREETING": "GREETING"}),
    }
    script = f"{STARTED_WITH}{LIMITS}; exec {sys.executable} -I {image} -- sh -c '{LIMITS}'"
    shown = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    before_soft, before_hard, soft, hard = shown.stdout.split()
    assert (soft, hard) == (before_soft, before_hard)
    assert soft == "7"


@pytest.mark.parametrize("mask", [(), ("--mask",)], ids=["unmasked", "masked"])
def test_a_command_has_the_limits_that_run_was_started_with(
    environment: dict[str, str], tmp_path: Path, mask: tuple[str, ...]
) -> None:
    ours = ["strongroom", "run", *mask, "--secret", "GREETING", "--", "sh", "-c", LIMITS]
    shown = subprocess.run(
        ["sh", "-c", f'{STARTED_WITH}{LIMITS}; exec "$@"', "sh", *ours],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    before_soft, before_hard, soft, hard = shown.stdout.split()
    assert (soft, hard) == (before_soft, before_hard)
    assert soft == "7"
