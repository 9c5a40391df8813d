"""A taken port is seen by a file that needs nothing but Python, and told in one sentence."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import taken_port

_FILE = taken_port.__file__


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def run(port: str, place: Path) -> "subprocess.CompletedProcess[str]":
    """The file alone, with the standard library and nothing else."""
    return subprocess.run(
        [sys.executable, "-I", "-S", _FILE, port],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_one_sentence_with_the_setting_and_a_command(
    taken: int, tmp_path: Path
) -> None:
    done = run(str(taken), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"strongroom: PORT: another program listens on 127.0.0.1:{taken}; ")
    assert {"linux": "ss -ltnp", "darwin": "lsof -nP"}.get(sys.platform, "") in line


@pytest.mark.parametrize("port", ["0", "65536", "", "x", "-1", "\u0661", "1" * 5000])
def test_a_port_that_is_not_valid_is_left_to_check(port: str, tmp_path: Path) -> None:
    assert run(port, tmp_path).returncode == 0


def test_a_port_that_is_let_go_meanwhile_does_not_stay_taken() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    _, port = listener.getsockname()
    calls = iter([listener.close])

    def pause(_: float) -> None:
        next(calls)()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("config.taken_port.time.sleep", pause)
        assert not taken_port.stays_taken("127.0.0.1", port, seconds=60)


def test_a_port_that_is_not_let_go_stays_taken(taken: int) -> None:
    assert taken_port.stays_taken("127.0.0.1", taken, seconds=0)
