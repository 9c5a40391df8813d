"""A script without ``#!`` starts as execvp(3) starts it: by /bin/sh, from where it was found."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.app.client.conftest import Redeem, Run
from tests.unit.app.client.protocol_server import ProtocolServer

Starter = Callable[..., subprocess.CompletedProcess[str]]
"""Starts a command that has the secret GREETING."""

SCRIPT = 'echo "$0" "$#" "$@" "$GREETING"; exit 42\n'


@pytest.fixture(params=["run", "run --mask", "redeem"])
def start(
    request: pytest.FixtureRequest, run: Run, redeem: Redeem, server: ProtocolServer
) -> Starter:
    if request.param == "redeem":
        token = server.issue({"GREETING": "GREETING"})
        return lambda *command, **more: redeem("--", *command, token=token, **more)
    mask = request.param.split()[1:]
    return lambda *command, **more: run(*mask, "--secret", "GREETING", "--", *command, **more)


def make(file: Path, content: str | bytes) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(0o755)
    return file


def test_a_script_has_its_arguments_and_the_secret(start: Starter, tmp_path: Path) -> None:
    script = make(tmp_path / "script", SCRIPT)
    result = start(str(script), "", "-x")
    greeting = "[masked]" if "[masked]" in result.stdout else "canary-hello"
    assert result.stdout == f"{script} 2  -x {greeting}\n"
    assert result.returncode == 42


def test_the_first_script_on_the_path_wins(
    start: Starter, environment: dict[str, str], tmp_path: Path
) -> None:
    """It is run by its full path, so a name that begins with a dash is no option of the shell."""
    script = make(tmp_path / "first" / "-x", SCRIPT)
    make(tmp_path / "second" / "-x", "#!/bin/sh\necho wrong\n")
    path = f"{script.parent}:{tmp_path / 'second'}:{environment['PATH']}"
    assert start("-x", PATH=path).stdout.startswith(f"{script} 0 ")


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\x00", b"\x00\x01garbage", b"echo\x00\n"])
def test_a_binary_is_no_script(start: Starter, tmp_path: Path, content: bytes) -> None:
    """Its first line has a NUL, as that of a program for another processor."""
    garbage = make(tmp_path / "garbage", content)
    result = start(str(garbage))
    assert (result.returncode, result.stdout) == (126, "")
    assert f"{garbage} cannot be executed: Exec format error." in result.stderr
