"""The operator's command in this process, in front of a home directory of its own."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from app.cli.main import strongroom


class Terminal:
    """Runs ``strongroom`` in this process with an environment of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {"STRONGROOM_HOME": str(home)}

    def run(self, *arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(strongroom, arguments, obj=self.environ | environ)

    def answer(self, *arguments: str) -> str:
        """Run a command that must succeed, and return its output."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.answer(*arguments, "--json"))


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
