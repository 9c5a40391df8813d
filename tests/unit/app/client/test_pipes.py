"""Files that are pipes: nothing is waited for past ``--timeout``; what comes in time is read."""

import os
import subprocess
from pathlib import Path

import pytest

from app.client.redeem import read_text
from tests.unit.app.client.conftest import Redeem, Run
from tests.unit.app.client.protocol_server import ProtocolServer

NAMES = {"HELLO": "GREETING"}


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """A pipe with a name, that nobody writes to."""
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    return path


@pytest.mark.parametrize("option", ["--token-file", "--token-mount"])
def test_reading_a_silent_token_pipe_times_out(
    redeem: Redeem, server: ProtocolServer, fifo: Path, option: str
) -> None:
    refused = redeem("--timeout", "1", option, str(fifo), "--", "true")
    assert (refused.returncode, "in time" in refused.stderr) == (124, True)
    assert server.exchanges == []


def test_reading_a_token_pipe_that_stays_open_times_out(
    redeem: Redeem, server: ProtocolServer, fifo: Path
) -> None:
    held = os.open(fifo, os.O_RDWR)
    os.write(held, server.issue(NAMES).encode())
    try:
        refused = redeem("--timeout", "1", "--token-mount", str(fifo), "--", "true")
    finally:
        os.close(held)
    assert (refused.returncode, "in time" in refused.stderr) == (124, True)


def test_a_token_is_read_from_a_pipe(
    server: ProtocolServer, image: Path, environment: dict[str, str]
) -> None:
    script = f"python3 -I {image} --token-mount <(echo $HANDED) -- printenv HELLO"
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment | {"HANDED": server.issue(NAMES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("canary-hello\n", "")


def test_a_token_file_without_an_end_is_refused(redeem: Redeem, server: ProtocolServer) -> None:
    refused = redeem("--token-mount", "/dev/zero", "--", "true")
    assert (refused.returncode, "no injection token" in refused.stderr) == (125, True)
    assert server.exchanges == []


def test_reading_a_silent_mapping_pipe_times_out(
    run: Run, server: ProtocolServer, fifo: Path
) -> None:
    refused = run("--timeout", "1", "--from", str(fifo), "--", "true")
    assert (refused.returncode, "in time" in refused.stderr) == (125, True)
    assert server.exchanges == []


def test_a_mapping_is_read_from_a_pipe(environment: dict[str, str]) -> None:
    script = "strongroom run --from <(echo HELLO=GREETING) -- printenv HELLO"
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b"canary-hello\n"


def test_a_mapping_without_an_end_is_refused(run: Run, server: ProtocolServer) -> None:
    refused = run("--from", "/dev/zero", "--", "true")
    assert (refused.returncode, "cannot be read" in refused.stderr) == (125, True)
    assert server.exchanges == []


@pytest.mark.parametrize("size", [0, 1, 100, 4096])
def test_a_file_up_to_the_limit_is_read(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_text("x" * size)
    assert read_text(file, 4096, 0) == "x" * size


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x" * 4097)
    with pytest.raises(ValueError, match="too large"):
        read_text(file, 4096, 0)
