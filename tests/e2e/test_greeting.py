"""A server that is started on a terminal greets, and what the greeting offers works as typed."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from tests.support.strongroom import Strongroom, prepared
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"]
_START_SECONDS = 60.0
_LISTENS = "Listening at: "
_LAST_LINE = r"Ctrl-C stops the server\.\r\n"


@contextmanager
def on_terminal(server: Strongroom, **settings: str) -> Iterator[PseudoTerminal]:
    """The server in front of a user, who ends it with Ctrl-C."""
    environment = {**server.environment, "TERM": "xterm", **settings}
    with PseudoTerminal(_GUNICORN, environment, _ROOT) as terminal:
        yield terminal
        terminal.type("\x03")
        terminal.wait()


@pytest.fixture
def deployment(tmp_path: Path) -> Strongroom:
    return prepared(tmp_path, {"STRONGROOM_WORKERS": "1"})


def test_the_commands_of_the_greeting_work_when_it_appears(deployment: Strongroom) -> None:
    with on_terminal(deployment) as terminal:
        greeting = terminal.expect(
            f"(?s)Strongroom [0-9.]+ serves at .*{_LAST_LINE}", _START_SECONDS
        )
        commands = re.findall(r"(?m)^  ((?:set|\S+/strongroom) .*)\r$", greeting)
        page = requests.get(f"{deployment.url}/docs", timeout=10)
        typed = subprocess.run(
            ["sh", "-e", "-c", "\n".join(commands)],
            cwd=_ROOT,
            env={"PATH": deployment.environment["PATH"], "HOME": str(deployment.home)},
            input="hello",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert page.ok
    assert f"{deployment.url}/docs" in greeting
    assert (typed.returncode, typed.stdout.splitlines()[-1:]) == (0, ["hello"]), typed.stderr


def test_the_greeting_names_the_file_of_the_api_key_and_not_the_key(
    deployment: Strongroom,
) -> None:
    with on_terminal(deployment) as terminal:
        greeting = terminal.expect(f"(?s).*{_LAST_LINE}", _START_SECONDS)
    assert f"in {deployment.home}/client.env\r\n" in greeting
    assert deployment.api_key not in greeting


def test_a_server_without_the_file_says_how_to_make_an_api_key(deployment: Strongroom) -> None:
    (deployment.home / "client.env").unlink()
    with on_terminal(deployment) as terminal:
        greeting = terminal.expect(f"(?s).*{_LAST_LINE}", _START_SECONDS)
    assert "/strongroom api-key create ACCOUNT\r\n" in greeting


def test_a_server_on_a_unix_socket_greets_with_its_path(deployment: Strongroom) -> None:
    with TemporaryDirectory(prefix="strongroom-") as directory:
        socket = f"unix:{directory}/server.sock"
        with on_terminal(deployment, STRONGROOM_BIND=socket) as terminal:
            greeting = terminal.expect(f"(?s)Strongroom .*{_LAST_LINE}", _START_SECONDS)
    assert f" serves at {socket}\r\n" in greeting
    assert "/docs" not in greeting


def test_json_on_a_terminal_has_no_greeting_between_its_lines(deployment: Strongroom) -> None:
    with on_terminal(deployment, STRONGROOM_LOG_FORMAT="json") as terminal:
        terminal.expect(_LISTENS, _START_SECONDS)
        deployment.wait_until_ready()
        terminal.type("\x03")
        rest = terminal.rest().splitlines()[1:]
    assert [line for line in rest if line and not line.removeprefix("^C").startswith("{")] == []


def test_text_without_a_terminal_has_neither_colours_nor_a_greeting(
    deployment: Strongroom,
) -> None:
    try:
        deployment.start(STRONGROOM_LOG_FORMAT="text")
    finally:
        deployment.stop()
    lines = deployment.log.read_text().splitlines()
    assert [line for line in lines if not re.match(r"20\S+ [A-Z]+ +\S", line)] == []
    assert any(_LISTENS in line for line in lines)
