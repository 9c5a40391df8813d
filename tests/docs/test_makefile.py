"""The Makefile says what it does before it does it, so that nobody waits in front of nothing."""

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.programs import require

_ROOT = Path(__file__).parents[2]
_CALL = "called:"
# Stands for every Python: tells its arguments, and makes the virtual environment of itself.
_PYTHON = f"""#!/bin/sh
echo "{_CALL} $*"
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""


@pytest.fixture(params=["strongroom", "a checkout"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A checkout with the files that ``make`` needs, before anything is installed."""
    place = tmp_path / str(request.param)
    shutil.copytree(_ROOT / "requirements", place / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(_ROOT / name, place)
    python = tmp_path / "python"
    python.write_text(_PYTHON)
    python.chmod(0o755)
    return place


def without_make() -> dict[str, str]:
    """The environment, without what a ``make`` around us would have this one print."""
    inherited = os.environ.items()  # noqa: TID251 - what a shell would pass on
    return {name: text for name, text in inherited if not name.startswith(("MAKE", "MFL"))}


def make(checkout: Path, target: str, errors: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [require("make"), target, f"PYTHON={checkout.parent / 'python'}"],
        cwd=checkout,
        env=without_make(),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        check=True,
        timeout=60,
    )


def test_every_step_of_the_tests_is_announced(checkout: Path) -> None:
    printed = make(checkout, "test", subprocess.STDOUT).stdout
    lines = ["", *printed.splitlines()]
    calls = [line for line in lines if line.startswith(_CALL)]
    assert [call for call in calls if "pytest" in call or "pip" in call] == calls[2:]
    assert [
        (before, line)
        for before, line in pairwise(lines)
        if line.startswith(_CALL) and (not before or before.startswith(_CALL))
    ] == []


def test_installing_reports_its_progress(checkout: Path) -> None:
    printed = make(checkout, "test", subprocess.STDOUT).stdout
    installs = [line for line in printed.splitlines() if "-m pip install" in line]
    assert len(installs) == 3
    assert [line for line in installs if "--quiet" in line] == []


def test_installing_prints_nothing_on_standard_output(checkout: Path) -> None:
    """Standard output is for results, such as the ``export`` lines of ``make run``."""
    done = make(checkout, ".venv/.runtime", subprocess.PIPE)
    assert (done.stdout, _CALL in done.stderr) == ("", True)
