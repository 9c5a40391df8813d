"""``docs/injection.md``: every recipe runs as it stands, against a real server."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.bootstrap import build
from config import load
from tests.e2e.account import Account
from tests.programs import require
from tests.servers.strongroom import Strongroom, running

_ROOT = Path(__file__).parents[2]
_RECIPES = (_ROOT / "docs" / "injection.md").read_text().partition("## Recipes")[2]
_BLOCK = re.compile(r"### ([^\n]+)\n|```sh\n(.*?)```", re.DOTALL)
_PRINTED = {
    "One command on your own machine": "started with the token\n",
    "A mapping that can be committed": "the password the token\n",
    "A container entrypoint": "container has the password\n",
    "A systemd unit with LoadCredential": "service has the password\n",
    "A Runloop-style launch": "devbox has the password\n",
    "A make target": "migrating with the password\n",
}
# What an orchestrator does; the recipe of a Runloop-style launch spells it out.
_NEW_TOKEN = """
new_token() {
    curl --silent --fail "$RUNLOOP_BASE_URL/v1/injections" \
        --header "Authorization: Bearer $RUNLOOP_API_KEY" \
        --header 'Content-Type: application/json' \
        --data '{"secrets": {"DB_PASS": "DATABASE_PASSWORD"}}' |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'
}
"""


def _recipes() -> dict[str, list[str]]:
    recipes: dict[str, list[str]] = {}
    title = ""
    for heading, block in _BLOCK.findall(_RECIPES):
        title = heading or title
        if block:
            recipes.setdefault(title, []).append(block)
    return recipes


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
        server.environment["TEST_API_KEY"] = account.token
        yield server


def run(recipe: str, server: Strongroom, directory: Path) -> str:
    """What a recipe prints, typed in an empty directory."""
    require("curl")
    done = subprocess.run(
        ["sh", "-euc", _NEW_TOKEN + recipe],
        check=False,
        cwd=directory,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # noqa: TID251
            "HOME": str(directory),
            "STRONGROOM": str(_ROOT),
            "RUNLOOP_BASE_URL": server.url,
            "RUNLOOP_API_KEY": server.environment["TEST_API_KEY"],
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("title", "printed"), _PRINTED.items())
def test_a_recipe_hands_over_the_value(
    server: Strongroom, tmp_path: Path, title: str, printed: str
) -> None:
    assert run(_recipes()[title][0], server, tmp_path) == printed


def test_credentials_are_written_as_files(server: Strongroom, tmp_path: Path) -> None:
    recipe = _recipes()["A systemd unit with LoadCredential"][1]

    assert run(recipe, server, tmp_path) == "the password"
    assert not (tmp_path / "token").exists()


def test_what_a_ci_job_prints_is_masked(server: Strongroom, tmp_path: Path) -> None:
    printed = run(_recipes()["A CI job"][0], server, tmp_path)

    assert printed.startswith("deploying with ")
    assert "the password" not in printed


def test_every_recipe_is_run_here() -> None:
    assert set(_recipes()) == {*_PRINTED, "A CI job"}
