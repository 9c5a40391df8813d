"""A server with two secrets; ``redeem.py`` run as an image runs it, ``strongroom run`` as users."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import app.client.redeem
from tests.support.preloaded import run_command
from tests.unit.app.client.job_shell import PROMPT
from tests.unit.app.client.protocol_server import API_KEY, ProtocolServer, serving
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

Redeem = Callable[..., subprocess.CompletedProcess[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]
Secret = Callable[..., subprocess.CompletedProcess[bytes]]

SECRETS = {"DATABASE_PASSWORD": "canary-p'a$s\"s`wörd\\n\n", "GREETING": "canary-hello"}


@pytest.fixture
def server() -> Iterator[ProtocolServer]:
    with serving(dict(SECRETS)) as server:
        yield server


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The one file, copied to where nothing else of the project is."""
    copy = tmp_path / "image" / "redeem.py"
    copy.parent.mkdir()
    shutil.copy(app.client.redeem.__file__, copy)
    return copy


@pytest.fixture
def environment(server: ProtocolServer, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # noqa: TID251
        "LC_ALL": "C.UTF-8",
        "HOME": str(tmp_path),
        "RUNLOOP_BASE_URL": server.url,
        "RUNLOOP_API_KEY": API_KEY,
    }


@pytest.fixture
def redeem(image: Path, environment: dict[str, str]) -> Redeem:
    """Run the copy with nothing but the standard library in reach."""

    def run(
        *arguments: str, token: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        handed = {} if token is None else {"STRONGROOM_INJECTION_TOKEN": token}
        return subprocess.run(
            [sys.executable, "-I", "-S", str(image), *arguments],
            env=environment | handed | more,
            cwd=image.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that is on no disk."""
    place = Path("/dev/shm")  # noqa: S108 - the system's own
    mounts = place.parent.is_dir() and Path("/proc/mounts").read_text()
    if f" {place} tmpfs " not in str(mounts):
        pytest.skip(f"{place} is not in memory here")
    with tempfile.TemporaryDirectory(dir=place) as directory:
        yield Path(directory)


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run ``strongroom run`` without a terminal."""

    def run(*arguments: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        done = run_command(("run", *arguments), environment | more, tmp_path, given.encode())
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


@pytest.fixture
def secret(environment: dict[str, str], tmp_path: Path) -> Secret:
    """Run ``strongroom secret`` without a terminal."""

    def run(*arguments: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
        return run_command(("secret", *arguments), environment | more, tmp_path, given)

    return run


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Iterator[PseudoTerminal]:
    """An interactive shell with job control, in front of its first prompt."""
    environment |= {"PS1": PROMPT, "TERM": "xterm"}
    with PseudoTerminal(["sh", "-i"], environment, tmp_path) as shell:
        shell.expect(PROMPT)
        yield shell
