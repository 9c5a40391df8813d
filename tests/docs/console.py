"""Sessions at a terminal that a page shows: commands, and what is printed below each."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.strongroom import Strongroom


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of a page, and what is shown below it."""

    command: str
    shown: str


def commands_of(page: Path) -> list[Typed]:
    """The commands of all sessions on the page, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    typed = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [Typed(command, shown) for command, shown in typed]


def assert_shown(typed: Typed, server: Strongroom, directory: Path) -> None:
    """Run the command as a user of the first account, and compare what it prints."""
    done = subprocess.run(
        ["sh", "-c", typed.command],
        check=False,
        cwd=directory,
        env={
            **server.environment,
            **server.client_environment,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert pattern_of(typed.shown).fullmatch(done.stdout), (typed.command, done.stdout)


def pattern_of(shown: str) -> re.Pattern[str]:
    """The lines that a page shows; … stands for any text in a line, and alone for any lines."""
    lines = (
        "(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + "\n"
        for line in shown.splitlines()
    )
    return re.compile("".join(lines))
