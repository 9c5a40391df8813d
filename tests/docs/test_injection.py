"""``docs/injection.md``: every recipe runs as it stands, against a real server."""

import configparser
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.support.strongroom import Strongroom, running

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_REDEEM = _ROOT / "app" / "client" / "redeem.py"
_BLOCK = re.compile(r"### ([^\n]+)\n|```(\w+)\n(.*?)```", re.DOTALL)
_RUN_BY_TESTS = {
    "",  # what hands out tokens
    "One command on your own machine",
    "A mapping that can be committed",
    "Moving from `.env`",
    "A container entrypoint",
    "A systemd unit with LoadCredential",
    "A Runloop-style launch",
    "A make target",
    "A CI job",
}
# Starts the image's entrypoint with the variables that --env names, as the real one would.
# A kernel reads no interpreter's path that is long or holds a space, so the shell starts Python.
_DOCKER = """#!/bin/sh
exec {python} -c '
import json, os, re, sys
dockerfile, redeem, *given = sys.argv[1:]
image = open(dockerfile).read()
entrypoint, command = (json.loads(each) for each in re.findall("(?:ENTRYPOINT|CMD) (.*)", image))
passed = [after for each, after in zip(given, given[1:]) if each == "--env"]
arguments = [each.replace("/opt/redeem.py", redeem) for each in entrypoint + command]
environment = {{name: os.environ[name] for name in ("PATH", *passed)}}
os.execvpe(arguments[0], arguments, environment)
' {dockerfile} {redeem} "$@"
"""


def _recipes() -> dict[str, dict[str, list[str]]]:
    """The blocks of every recipe, by language."""
    page = (_ROOT / "docs" / "injection.md").read_text().partition("## Recipes")[2]
    recipes: dict[str, dict[str, list[str]]] = {}
    title = ""
    for heading, language, block in _BLOCK.findall(page):
        title = heading or title
        if language:
            recipes.setdefault(title, {}).setdefault(language, []).append(block)
    return recipes


_PAGE = _recipes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strongroom]:
    """A server that keeps the two secrets of the page."""
    with (
        running(tmp_path_factory.mktemp("recipes")) as server,
        closing(build(load(server.environment))) as operator,
        Account.new(server.url, operator) as account,
    ):
        account.create("DATABASE_PASSWORD", "the password")
        account.create("API_TOKEN", "the token")
        account.create("OTHER", "a value of nobody's business")
        server.environment["TEST_API_KEY"] = account.token
        server.environment["TEST_ACCOUNT"] = account.id
        yield server


@pytest.fixture
def environment(server: Strongroom, tmp_path: Path) -> dict[str, str]:
    """The environment of a reader who follows the page."""
    return {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",  # noqa: TID251
        "HOME": str(tmp_path),
        "STRONGROOM": str(_ROOT),
        "RUNLOOP_BASE_URL": server.url,
        "RUNLOOP_API_KEY": server.environment["TEST_API_KEY"],
    }


def run(script: str, environment: dict[str, str], *, reported: str = "") -> str:
    """The output of a recipe, typed in an empty directory; ``reported`` is on standard error."""
    done = subprocess.run(
        ["sh", "-euc", "\n".join([*_PAGE[""]["sh"], script])],
        check=False,
        cwd=environment["HOME"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, reported)
    return done.stdout


@pytest.mark.parametrize(
    ("title", "printed"),
    [
        ("One command on your own machine", "started with the token\n"),
        ("A mapping that can be committed", "the password the token\n"),
        ("A Runloop-style launch", "devbox has the password\n"),
    ],
)
def test_a_shell_recipe_hands_over_the_value(
    environment: dict[str, str], title: str, printed: str
) -> None:
    (script,) = _PAGE[title]["sh"]
    assert run(script, environment) == printed


def test_a_dotenv_file_moves_to_the_server(environment: dict[str, str], tmp_path: Path) -> None:
    (script,) = _PAGE["Moving from `.env`"]["sh"]
    imported = "strongroom secret import: 2 created.\n"
    assert run(script, environment, reported=imported) == "key of the shop, it costs $5\n"
    assert (tmp_path / "secrets.map").read_text() == "PAYMENTS_KEY\nMAIL_PASSWORD\n"


def test_a_container_starts_with_the_value(environment: dict[str, str], tmp_path: Path) -> None:
    recipe = _PAGE["A container entrypoint"]
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(recipe["dockerfile"][0])
    docker = tmp_path / "docker"
    docker.write_text(
        _DOCKER.format(
            python=shlex.quote(sys.executable),
            dockerfile=shlex.quote(str(dockerfile)),
            redeem=shlex.quote(str(_REDEEM)),
        )
    )
    docker.chmod(0o755)
    assert run(recipe["sh"][0], environment) == "container has the password\n"


@pytest.fixture
def runtime() -> Iterator[Path]:
    """The directory in memory that systemd has at %t."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        yield Path(place)


def start_unit(unit: str, environment: dict[str, str], place: Path, runtime: Path) -> str:
    """Do what systemd does with a unit: its credential, its specifiers, its command."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit)
    service = parser["Service"]
    credential = place / service["LoadCredential"].partition(":")[0]
    credential.write_text(run("new_token", environment))
    credential.chmod(0o400)
    (runtime / "my-service").mkdir()
    program = place / "program"
    program.write_text(
        f'#!/bin/sh\necho "${{DB_PASS-}}"; cat {runtime}/my-service/secrets/* 2>/dev/null || true'
    )
    program.chmod(0o755)
    command = service["ExecStart"].replace("%d", str(place)).replace("%t", str(runtime))
    command = command.replace("/opt/redeem.py", shlex.quote(str(_REDEEM)))
    command = command.replace("/usr/bin/my-service", str(program))
    done = subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        cwd=place,
        env={"PATH": "/usr/bin:/bin", "RUNLOOP_BASE_URL": environment["RUNLOOP_BASE_URL"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("number", "printed"), [(0, "the password\n"), (1, "\nthe password")])
def test_a_unit_hands_over_the_value_as_a_variable_or_as_a_file(
    environment: dict[str, str], tmp_path: Path, runtime: Path, number: int, printed: str
) -> None:
    unit = _PAGE["A systemd unit with LoadCredential"]["ini"][number]
    assert start_unit(unit, environment, tmp_path, runtime) == printed


def test_a_make_target_has_the_value(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(_PAGE["A make target"]["make"][0])
    assert run("make migrate", environment) == "migrating with the password\n"


@pytest.fixture
def of_the_job(server: Strongroom, environment: dict[str, str]) -> dict[str, str]:
    """The environment of the CI job, with the key that the page makes for it."""
    (command,) = _PAGE["A CI job"]["sh"]
    operator = environment | server.environment | {"PATH": environment["PATH"]}
    made = subprocess.run(
        ["sh", "-euc", command],
        check=True,
        env=operator | {"ACCOUNT": server.environment["TEST_ACCOUNT"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return environment | {"RUNLOOP_API_KEY": made.stdout.strip()}


def test_the_key_of_a_ci_job_hands_over_nothing_else(of_the_job: dict[str, str]) -> None:
    refused = subprocess.run(
        ["strongroom", "run", "--secret", "OTHER", "--", "true"],
        check=False,
        env=of_the_job,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 123
    assert "These secrets do not exist: OTHER." in refused.stderr


def test_the_output_of_a_ci_job_is_masked(of_the_job: dict[str, str], tmp_path: Path) -> None:
    mapping = _PAGE["A mapping that can be committed"]["sh"][0]
    (job,) = re.findall(r"    - (strongroom .*)", _PAGE["A CI job"]["yaml"][0])
    (tmp_path / "secrets.map").write_text(mapping.split("MAP")[1].lstrip("'\n"))
    assert run(job, of_the_job) == "deploying with [masked]\n"


def test_every_recipe_isolates_the_interpreter() -> None:
    """A file beside redeem.py, or PYTHONPATH, could put its own code in front of the library's."""
    page = (_ROOT / "docs" / "injection.md").read_text()
    started = re.findall(r"""python3"?,? .*redeem\.py""", page)
    assert len(started) == 5
    assert [each for each in started if not re.match(r"""python3"?,? "?-I\b""", each)] == []


def test_every_recipe_is_run_here() -> None:
    assert _PAGE.keys() == _RUN_BY_TESTS
