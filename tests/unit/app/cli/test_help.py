"""The help of the command: quick, and nothing in it is cut."""

import re
import subprocess
import sys

import click
import pytest

from app.cli.main import strongroom
from app.client.lazy_group import LazyGroup
from app.client.summaries import SummaryGroup
from tests.support.terminal import Terminal

SLOW = {"alembic", "app.bootstrap", "boto3", "flask", "hvac", "orjson", "psycopg", "sqlalchemy"}
"""Half a second together, where help is promised in 0.3 seconds."""
OF_THE_SERVER = SLOW | {"app.cli.errors", "cryptography", "marshmallow"}
CONTEXT = strongroom.make_context("strongroom", [], resilient_parsing=True)
CLIENTS = [*(name for name, each in strongroom.table.items() if each.is_client), "redeem"]

PROBE = """
import atexit, sys
from app.cli.main import main
atexit.register(lambda: print("imported:", *sorted({slow} & {{*sys.modules}})))
sys.argv[1:] = {arguments}
main()
"""


def command(name: str) -> click.Command:
    found = strongroom.get_command(CONTEXT, name)
    assert found is not None
    return found


GROUPS = [
    [],
    *([name] for name in strongroom.table if isinstance(command(name), click.Group)),
]

LAZY_GROUPS = [
    strongroom,
    *(each for each in map(command, strongroom.table) if isinstance(each, LazyGroup)),
]


def imported(modules: set[str], arguments: list[str]) -> list[str]:
    """Those of the modules that a run of the command imports."""
    code = PROBE.format(slow=modules, arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    _, probed, found = ended.stdout.rpartition("imported:")
    assert probed
    return found.split()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in CLIENTS)], ids=" ".join
)
def test_the_help_of_a_client_imports_nothing_of_the_server(arguments: list[str]) -> None:
    assert imported(OF_THE_SERVER, arguments) == []


@pytest.mark.parametrize("name", [name for name in strongroom.table if name not in CLIENTS])
def test_the_help_of_an_operators_command_imports_no_database(name: str) -> None:
    assert imported(SLOW, [name, "--help"]) == []


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, name) for group in LAZY_GROUPS for name in group.table],
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_the_summary_in_the_table_is_the_first_sentence_of_the_command(
    group: LazyGroup, name: str
) -> None:
    found = group.get_command(CONTEXT, name)
    assert found is not None
    assert group.table[name].summary == found.get_short_help_str(limit=10_000)


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_no_summary_is_cut(group: list[str], bare: Terminal) -> None:
    _, _, listed = bare.answer(*group, "--help").partition("Commands:\n")
    unfolded = re.sub(r"\s+", " ", listed)
    found = command(group[0]) if group else strongroom
    assert isinstance(found, SummaryGroup)
    for name in found.list_commands(CONTEXT):
        assert f"{name} {found.summary(CONTEXT, name)} " in unfolded
    assert "..." not in unfolded


def test_the_version_is_that_of_the_package(bare: Terminal) -> None:
    assert re.fullmatch(r"strongroom \d+\.\d+\.\d+\n", bare.answer("--version"))
