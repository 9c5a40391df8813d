"""The Makefile says what it does before it does it, so that nobody waits in front of nothing."""

import os
import shutil
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.programs import require
from tests.unit.app.client.pseudo_terminal import PseudoTerminal

_ROOT = Path(__file__).parents[2]
_CALL = "called:"
_START_SECONDS = 120.0
# Stands for every Python, and for npm: tells its arguments, and makes the virtual environment of
# itself.
_PYTHON = f"""#!/bin/sh
echo "{_CALL} $*"
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""


@pytest.fixture(params=["strongroom", "a checkout"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A checkout with the files that ``make`` needs, before anything is installed."""
    place = tmp_path / str(request.param)
    shutil.copytree(_ROOT / "requirements", place / "requirements")
    (place / "config").mkdir()
    for name in ("Makefile", "pyproject.toml", "config/taken_port.py"):
        shutil.copy(_ROOT / name, place / name)
    for name in ("python", "npm"):
        (tmp_path / name).write_text(_PYTHON)
        (tmp_path / name).chmod(0o755)
    return place


def without_make() -> dict[str, str]:
    """The environment, without what a ``make`` around us would have this one print."""
    inherited = os.environ.items()  # noqa: TID251 - what a shell would pass on
    return {name: text for name, text in inherited if not name.startswith(("MAKE", "MFL"))}


def make(checkout: Path, target: str, errors: int) -> "subprocess.CompletedProcess[str]":
    environment = without_make()
    environment["PATH"] = f"{checkout.parent}:{environment['PATH']}"
    return subprocess.run(
        [require("make"), target, f"PYTHON={checkout.parent / 'python'}"],
        cwd=checkout,
        env=environment,
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


def options_of(checkout: Path, target: str) -> str:
    """The options that the target gives to pytest."""
    printed = make(checkout, target, subprocess.STDOUT).stdout
    return printed.partition("-m pytest ")[2].splitlines()[0]


def test_the_two_runs_of_tests_together_leave_nothing_out(checkout: Path) -> None:
    runs = [options_of(checkout, target) for target in ("test", "slow")]
    assert [options.partition(" --ignore=tests/cluster ")[0] for options in runs] == [
        "-m not slow",
        "-m slow",
    ]
    assert len({options.partition(" --ignore=")[2] for options in runs}) == 1


def test_continuous_integration_runs_every_test() -> None:
    lines = (_ROOT / ".ci" / "run").read_text().replace("\\\n", "").splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "own="))]
    assert commands[-5:-1] == [
        "make check",
        "make test",
        "make slow",
        ".venv/bin/python -m pytest tests/cluster",
    ]
    assert commands[-1].startswith(".venv/bin/python -m pytest --database=postgresql ")


def test_installing_reports_its_progress(checkout: Path) -> None:
    printed = make(checkout, "test", subprocess.STDOUT).stdout
    installs = [line for line in printed.splitlines() if "-m pip install" in line]
    assert len(installs) == 3
    assert [line for line in installs if "--quiet" in line] == []


def test_installing_prints_nothing_on_standard_output(checkout: Path) -> None:
    """Standard output is for results, such as the ``export`` lines of ``make run``."""
    done = make(checkout, ".venv/.runtime", subprocess.PIPE)
    assert (done.stdout, _CALL in done.stderr) == ("", True)


# Stands for a Python that is too old: this one, which says so.
_OLD = f"""#!/bin/sh
if [ "$1" = --version ]; then echo Python 3.9.2; exit; fi
shift
exec {sys.executable} -c "import sys; sys.version_info = (3, 9, 2, 'final', 0); $1"
"""


def refused(checkout: Path, target: str, python: str, **environ: str) -> str:
    """Run ``make``, which must fail and install nothing. Returns the sentences that it printed."""
    done = subprocess.run(
        [require("make"), target, f"PYTHON={python}"],
        cwd=checkout,
        env=without_make() | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert not (checkout / ".venv").exists()
    printed = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    return "\n".join(line for line in printed if "looking for" not in line)


@pytest.mark.parametrize("target", ["run", "test"])
def test_an_old_python_is_refused_with_the_way_out(checkout: Path, target: str) -> None:
    python = checkout.parent / "python"
    python.write_text(_OLD)
    assert refused(checkout, target, str(python)) == (
        f"strongroom: Python 3.11 or later is needed, and {python} is Python 3.9.2. Install it, "
        f"then name it: make {target} PYTHON=python3.11"
    )


def test_a_missing_python_is_refused_with_the_way_out(checkout: Path) -> None:
    assert refused(checkout, "run", "no-such-python").startswith(
        "strongroom: Python 3.11 or later is needed, and no-such-python is missing. "
    )


def test_a_taken_port_is_refused_before_anything_is_installed(checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refused(checkout, "run", sys.executable, PORT=str(port))
    assert told.startswith(f"strongroom: PORT: another program listens on 127.0.0.1:{port}; ")
    assert len(told.splitlines()) == 1


@pytest.fixture
def installed(checkout: Path) -> Path:
    """The checkout with the programs that this Python has, as after the first run."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (checkout / ".venv" / ".runtime").touch()
    shutil.rmtree(checkout / "config")
    for name in ("wsgi.py", "config"):
        (checkout / name).symlink_to(_ROOT / name)
    return checkout


@pytest.mark.slow
@pytest.mark.parametrize("checkout", ["a checkout"], indirect=True)
def test_the_first_run_on_a_terminal_prints_the_key_and_then_greets(installed: Path) -> None:
    environment = without_make() | {"PORT": str(free_port()), "TERM": "xterm"}
    environment = {name: text for name, text in environment.items() if "STRONGROOM_" not in name}
    with PseudoTerminal([require("make"), "run"], environment, installed) as terminal:
        terminal.expect("export RUNLOOP_API_KEY=ak_", _START_SECONDS)
        greeting = terminal.expect("(?s)Strongroom [0-9.]+ serves at .*Ctrl-C", _START_SECONDS)
        terminal.type("\x03")
        terminal.wait()
    assert "  set -a; . var/client.env; set +a\r\n" in greeting
    assert "/strongroom secret set GREETING\r\n" in greeting


def test_a_wrong_setting_and_a_taken_port_are_named_at_once(installed: Path) -> None:
    home = installed / "var"
    with socket.create_server(("127.0.0.1", 0)) as other:
        wrong = {
            "STRONGROOM_HOME": str(home),
            "STRONGROOM_LOG_FORMAT": "xml",
            "PORT": str(other.getsockname()[1]),
        }
        done = subprocess.run(
            [require("make"), "run"],
            cwd=installed,
            env=without_make() | wrong,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    said = [line for line in done.stderr.splitlines() if line.startswith("strongroom: ")]
    assert [line.split(": ")[1] for line in said] == ["STRONGROOM_LOG_FORMAT", "PORT"]
    assert (done.returncode != 0, done.stdout, home.exists()) == (True, "", False)
