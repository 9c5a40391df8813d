"""``strongroom serve``, as ``make run`` starts it: server and gateway begin and end together."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.support import databases
from tests.support.ports import free_port
from tests.support.preloaded import Program, start_command
from tests.support.ready_home import copy_ready_home
from tests.support.strongroom import Strongroom
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

_START_SECONDS = 120.0
_STOP_SECONDS = 120.0


@dataclass(frozen=True)
class Both:
    """A server and a gateway that were started together.

    Attributes:
        server: Answers where ``PORT`` says.
        url: The gateway's.
    """

    program: Program
    server: Strongroom
    url: str

    def masters(self) -> list[int]:
        """The two processes, the server's first."""
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children")
        return [*map(int, children.read_text().split())]

    def code(self) -> int:
        """Wait for the end of all. Returns the exit code."""
        return self.program.wait(_STOP_SECONDS)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.RequestException:
        return False


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    home, port, gateway_port = tmp_path / "home", free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
        "STRONGROOM_HOME": str(home),
        "STRONGROOM_GATEWAY_SOCKET": f"/tmp/{tmp_path.name[:40]}-{port}.sock",  # noqa: S108 - short
        "PORT": str(port),
        "STRONGROOM_GATEWAY_PORT": str(gateway_port),
        "STRONGROOM_WORKERS": "1",
        "STRONGROOM_GATEWAY_WORKERS": "1",
        **databases.chosen.settings(home),
    }
    copy_ready_home(home, f"http://127.0.0.1:{port}")
    log = tmp_path / "log"
    program = start_command(("serve",), environment, log, log)
    server = Strongroom(home, environment, log)
    started = Both(program, server, f"http://127.0.0.1:{gateway_port}")
    try:
        server.wait_until_ready()
        wait_until(lambda: answers(started.url), _START_SECONDS)
        yield started
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(_STOP_SECONDS)


def test_both_serve_and_the_gateway_asks_for_its_own_url(both: Both) -> None:
    refused = requests.get(f"{both.url}/v1/models", timeout=20)
    assert refused.headers["x-strongroom-gateway"] == "refused"
    assert requests.get(f"{both.server.url}/healthz", timeout=20).ok


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_signal_ends_both(both: Both, number: signal.Signals) -> None:
    both.program.send_signal(number)
    assert both.code() == 0
    assert not answers(both.url)
    assert not answers(both.server.url)


def test_a_signal_that_comes_again_and_again_is_no_failure(both: Both) -> None:
    def has_ended() -> bool:
        both.program.send_signal(signal.SIGTERM)
        try:
            both.program.wait(0)
        except subprocess.TimeoutExpired:
            return False
        return True

    wait_until(has_ended, _STOP_SECONDS)
    assert both.code() == 0


@pytest.mark.parametrize("place", [0, 1], ids=["the server", "the gateway"])
def test_if_one_of_them_dies_the_other_ends_and_the_exit_code_says_so(
    both: Both, place: int
) -> None:
    os.kill(both.masters()[place], signal.SIGKILL)
    assert both.code() == 128 + signal.SIGKILL
    wait_until(lambda: not answers(both.url))  # a killed master's workers end on their own


def test_an_empty_url_starts_the_server_alone(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of the machine
        "STRONGROOM_HOME": str(home),
        "PORT": str(port),
        "STRONGROOM_GATEWAY_URL": "",
        "STRONGROOM_WORKERS": "1",
        **databases.chosen.settings(home),
    }
    copy_ready_home(home, f"http://127.0.0.1:{port}")
    log = tmp_path / "log"
    program = start_command(("serve",), environment, log, log)
    try:
        Strongroom(home, environment, log).wait_until_ready()
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
        assert len(children) == 1
        assert not (home / "admission.sock").exists()
    finally:
        program.send_signal(signal.SIGTERM)
        program.wait(_STOP_SECONDS)
