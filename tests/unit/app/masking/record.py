"""Record how programs print values, for `test_printed.py`.

Each program gets the value in the variable ``X``. Run this where all of them are installed, and
look at what changed in ``printed.json``:

    python -m tests.unit.app.masking.record
"""

import json
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

from tests.unit.app.masking.values import NO_VALUE, VALUES

_HERE = Path(__file__).parent
FILE = _HERE / "printed.json"
_TIMEOUT_SECONDS = 60


class _Program(TypedDict):
    command: list[str]
    version: str
    before: NotRequired[str]
    ways: dict[str, str]


def ways() -> Iterator[tuple[str, list[str]]]:
    """List each way to print, with its command."""
    for name, program in _programs().items():
        before = program.get("before", "")
        for way, text in program["ways"].items():
            yield f"{name}: {way}", [*program["command"], before + text]


def output(command: list[str], value: str, work: Path) -> bytes:
    """Return what a command prints when ``X`` has the value."""
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.defpath + ":/usr/local/bin", "LANG": "C.UTF-8", "X": value},
        cwd=work,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    ).stdout


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for build in (["go", "build", "-o", "go"], ["rustc", "-o", "rust"]):
            source = _HERE / f"print.{'go' if build[0] == 'go' else 'rs'}"
            subprocess.run([*build, source], cwd=work, check=True)
        printed = {
            way: {
                key: output(command, value, work).decode("latin-1")
                for key, value in {**VALUES, "no value": NO_VALUE}.items()
            }
            for way, command in ways()
        }
        versions = {
            name: output(["sh", "-c", program["version"]], "", work).decode().split("\n")[0]
            for name, program in _programs().items()
        }
    document = {"versions": versions, "printed": printed}
    FILE.write_text(json.dumps(document, indent=1) + "\n")


def _programs() -> dict[str, _Program]:
    programs: dict[str, _Program] = tomllib.loads((_HERE / "programs.toml").read_text())
    return programs


if __name__ == "__main__":
    main()
