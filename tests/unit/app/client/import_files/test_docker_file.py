"""Files of ``docker run --env-file`` are read as Docker reads them, quotes and blanks included."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.client.import_files.reading import parse, read

RECORDED = tomllib.loads((Path(__file__).parent / "recorded" / "docker.toml").read_text())


@pytest.mark.parametrize("case", RECORDED["read"], ids=lambda case: ascii(case["file"]))
def test_a_file_has_the_values_that_docker_sends(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "env.list"
    file.write_text(case["file"], newline="")
    found = read(file, "docker", 5.0)
    assert found.faults == []
    assert [f"{entry.name}={entry.value}" for entry in found.entries] == case["environment"]


@pytest.mark.parametrize("case", RECORDED["refused"], ids=lambda case: ascii(case["file"]))
def test_a_file_that_docker_refuses_is_refused(case: dict[str, Any]) -> None:
    assert [fault.place.number for fault in parse(case["file"], "docker").faults] == [1]


def test_a_name_without_a_value_is_refused_as_we_take_none_from_the_environment() -> None:
    (fault,) = parse("A=1\nHOME\n", "docker").faults
    assert str(fault) == (
        "line 2: has no =: Docker takes the value from its environment, this command does not"
    )
