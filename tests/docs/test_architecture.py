"""``docs/architecture.md`` lists the files that an operation really enters, each with its job."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks.hops import Hops, measure

_PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
_FILE = re.compile(r"^\| `([^`]+)`(?: †)? \| ([^|]+) \|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
_FIGURES = re.compile(r"^\| ([a-z ,]+) \| (\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)
_TOLERANCE = 1.1  # a look at the clocks, or a wait for the disk, adds a few calls
_COLUMNS = {"create": 2, "redemption": 3, "rewrap of two keys, cold": 4}


@pytest.fixture(scope="module")
def measured() -> Mapping[str, Hops]:
    return measure()


@pytest.mark.parametrize("operation", _COLUMNS)
def test_the_table_lists_each_file_that_the_operation_enters(
    measured: Mapping[str, Hops], operation: str
) -> None:
    rows = [match.groups() for match in _FILE.finditer(_PAGE)]
    listed = {row[0] for row in rows if row[_COLUMNS[operation]].strip()}
    assert listed == measured[operation].files


def test_no_two_files_of_the_table_have_the_same_job() -> None:
    jobs = [match.group(2) for match in _FILE.finditer(_PAGE)]
    assert len(jobs) == len(set(jobs)) > 0


@pytest.mark.parametrize("operation", [*_COLUMNS, "rewrap of two keys, warm"])
def test_no_operation_has_more_hops_than_the_page_says(
    measured: Mapping[str, Hops], operation: str
) -> None:
    (figures,) = [
        match.groups()[1:] for match in _FIGURES.finditer(_PAGE) if match.group(1) == operation
    ]
    files, changes, calls = map(int, figures)
    found = measured[operation]
    assert len(found.files) == files
    assert found.changes <= changes * _TOLERANCE
    assert found.calls <= calls * _TOLERANCE
