"""A command that does not exist."""

import pytest
from click.testing import CliRunner

from app.cli.main import strongroom


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["secert"], "secret"), (["secret", "gett"], "get"), (["keyring", "statsu"], "status")],
    ids=["strongroom", "secret", "keyring"],
)
def test_the_command_that_was_meant_is_suggested(arguments: list[str], meant: str) -> None:
    result = CliRunner().invoke(strongroom, arguments)
    assert result.exit_code in {2, 125}
    assert f"did you mean {meant}?" in result.output


@pytest.mark.parametrize(
    "group", [[], ["secret"], ["api-key"]], ids=["strongroom", "secret", "api-key"]
)
def test_a_value_in_place_of_a_command_is_not_repeated(group: list[str]) -> None:
    result = CliRunner().invoke(strongroom, [*group, "canary0hello"])
    assert result.exit_code in {2, 125}
    assert "there is no such command." in result.output
    assert "canary0hello" not in result.output
