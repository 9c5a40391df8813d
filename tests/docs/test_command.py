"""The page of the command lists what there is."""

import re
from pathlib import Path

import click
import pytest

from app.cli.commands.keyring import reencrypt, rewrap
from app.cli.errors import EXIT_CODES, INCOMPLETE, INTERNAL, INTERRUPTED
from app.cli.main import strongroom
from app.services.keys.failure_reasons import FailureReason
from backends.keyring.bounded_provider import THROTTLED_PAUSES

_PAGE = (Path(__file__).parents[2] / "docs" / "command.md").read_text()


def test_every_command_is_listed_and_no_other() -> None:
    context = strongroom.make_context("strongroom", [], resilient_parsing=True)
    listed = re.findall(r"^\| `([a-z-]+)` \|", _PAGE, re.MULTILINE)
    assert listed == strongroom.list_commands(context)


@pytest.mark.parametrize("sweep", [rewrap, reencrypt])
def test_every_option_of_a_sweep_is_documented(sweep: click.Command) -> None:
    options = {name for option in sweep.params for name in option.opts}
    assert options <= set(re.findall(r"--[a-z-]+", _PAGE))


def test_the_pauses_for_a_throttling_provider_are_documented() -> None:
    *first, last = (f"{pause:.0f}" for pause in THROTTLED_PAUSES)
    assert f"after {', '.join(first)} and {last} seconds" in _PAGE


def test_every_exit_code_is_listed_and_no_other() -> None:
    listed = re.findall(r"^\| (\d+) \|", _PAGE, re.MULTILINE)
    of_any_command = {0, 2, INCOMPLETE, INTERNAL, INTERRUPTED}
    assert set(map(int, listed)) == of_any_command | {*EXIT_CODES.values()}


def test_every_cause_of_a_failed_data_key_is_listed_and_no_other() -> None:
    assert set(re.findall(r"^\| `([a-z]+_[a-z_]+)` \|", _PAGE, re.MULTILINE)) == set(FailureReason)
