"""The README: its picture is what commands print, and a new user gets as far as it says."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.docs.console import assert_shown, commands_of
from tests.support.ports import free_port
from tests.support.strongroom import Strongroom, running

_ROOT = Path(__file__).parents[2]
_NOT_IN_A_CHECKOUT = shutil.ignore_patterns(
    ".venv*", ".git", ".*_cache", ".hypothesis", "var", "*.egg-info", "__pycache__", "node_modules"
)
_OF_THIS_RUN = re.compile("STRONGROOM_|RUNLOOP_|VIRTUAL_ENV|MAKE|MFLAGS|CI$|PYTEST")
_INSTALL_SECONDS = 900.0
_STOP_SECONDS = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class NewUser:
    """Someone in a checkout, with the README in front of them.

    Attributes:
        checkout: The directory.
        commands: The README's blocks of commands, in order.
    """

    def __init__(self, checkout: Path, environment: dict[str, str]) -> None:
        self.checkout = checkout
        self.commands = re.findall(
            r"^```sh\n(.*?)^```", (checkout / "README.md").read_text(), re.MULTILINE | re.DOTALL
        )
        self._environment = environment

    @contextmanager
    def serving(self, log: Path) -> Iterator[None]:
        """The first block in a terminal of its own, until Ctrl-C."""
        with log.open("wb") as printed:
            process = subprocess.Popen(
                ["sh", "-c", self.commands[0]],
                cwd=self.checkout,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(process, log)
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(_STOP_SECONDS)

    def type(self, commands: str) -> str:
        """Run a block of commands, and return its output."""
        typed = subprocess.run(
            ["sh", "-e", "-c", commands],
            cwd=self.checkout,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=True,
        )
        return typed.stdout

    def _wait(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        url = f"http://127.0.0.1:{self._environment['PORT']}/readyz"
        deadline = time.monotonic() + _INSTALL_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if requests.get(url, timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise TimeoutError(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, proving: bool) -> NewUser:
    machine = dict(os.environ)  # noqa: TID251 - what the user's shell has
    if not proving and "CI" not in machine:
        pytest.skip("takes minutes: make prove and .ci/run do it")
    checkout = tmp_path_factory.mktemp("new") / "strongroom"
    shutil.copytree(_ROOT, checkout, ignore=_NOT_IN_A_CHECKOUT)
    environment = {name: text for name, text in machine.items() if not _OF_THIS_RUN.match(name)}
    return NewUser(checkout, environment | {"PORT": str(free_port())})


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The output that a new user has seen when the server is stopped again."""

    printed: str
    tour: str


@pytest.fixture(scope="module")
def first_run(user: NewUser, tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    log = tmp_path_factory.mktemp("first") / "log"
    with user.serving(log):
        return FirstRun(log.read_text(), user.type(user.commands[2]))


def test_the_first_run_prints_the_two_variables_of_the_clients(
    user: NewUser, first_run: FirstRun
) -> None:
    printed = re.findall("^export (RUNLOOP_.*\n)", first_run.printed, re.MULTILINE)
    assert "".join(printed) == (user.checkout / "var" / "client.env").read_text()


def test_the_tour_of_a_minute_prints_the_secret(first_run: FirstRun) -> None:
    assert first_run.tour == "hello\n"


def test_the_second_run_makes_and_prints_nothing_again(
    user: NewUser, first_run: FirstRun, tmp_path: Path
) -> None:
    made = [user.checkout / each for each in (".venv/.runtime", "var/keys", "var/client.env")]
    before = [(each.stat().st_ino, each.stat().st_mtime_ns) for each in made]
    with user.serving(tmp_path / "log"):
        second = (tmp_path / "log").read_text()
    assert "export" in first_run.printed
    assert "export" not in second
    assert [(each.stat().st_ino, each.stat().st_mtime_ns) for each in made] == before


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Strongroom]:
    with running(tmp_path) as server:
        (tmp_path / "var").symlink_to(server.home)
        yield server


def test_commands_print_what_the_picture_of_a_terminal_shows(
    server: Strongroom, tmp_path: Path
) -> None:
    session = commands_of(_ROOT / "README.md")
    assert session
    for typed in session:
        assert_shown(typed, server, tmp_path)
