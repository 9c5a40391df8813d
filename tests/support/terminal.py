"""The operator's command in this process, in front of a home directory of its own."""

import json
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner, Result

from app.cli.main import strongroom
from tests.support import databases
from tests.support.databases import Rows


class Terminal:
    """Runs ``strongroom`` in this process with an environment of its own.

    The server would listen on a Unix socket: any port may be in use on this machine.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {
            "STRONGROOM_HOME": str(home),
            "STRONGROOM_BIND": unused_socket(),
            **databases.chosen.settings(home),
        }

    def rows(self) -> AbstractContextManager[Rows]:
        """The rows of its database, as somebody sees them who can write to it."""
        return databases.chosen.rows(self.home)

    def run(self, *arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(strongroom, arguments, obj=self.environ | environ)

    def answer(self, *arguments: str) -> str:
        """Run a command that must succeed, and return its output."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.answer(*arguments, "--json"))


def unused_socket() -> str:
    """A Unix socket that nobody listens on, as an address of ``STRONGROOM_BIND``."""
    return f"unix:{_directory().name}/server.sock"


@cache
def _directory() -> "TemporaryDirectory[str]":
    """The directory of the socket, with a short path. It is removed as this process ends."""
    return TemporaryDirectory(prefix="strongroom-socket-")


def faults(terminal: Terminal, **environ: str) -> list[str]:
    """The faults, as shown to a person and to a script."""
    result = terminal.run("check", "--json", **environ)
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    warned = [f"warning: {warning}" for warning in answer["warnings"]]
    told = [*warned, *answer["faults"]]
    assert result.stderr == "".join(f"strongroom: {sentence}\n" for sentence in told)
    refused: list[str] = answer["faults"]
    return refused
