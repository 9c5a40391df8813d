"""``docs/assurance.md``: the tests that it names exist in the files that it names."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "assurance.md").read_text()
_ROW = re.compile(r"^\| [^|]+ \| `(\w+)` \| `([\w.]+)` \|$", re.MULTILINE)


@pytest.mark.parametrize(("test", "file"), sorted(set(_ROW.findall(_PAGE))))
def test_a_test_of_the_page_exists(test: str, file: str) -> None:
    found = [*(_ROOT / "tests").rglob(file)]
    assert any(f"def {test}(" in each.read_text() for each in found)


def test_every_row_of_a_table_is_read() -> None:
    rows = [line for line in _PAGE.splitlines() if line.startswith("| ")]
    heads = sum(line.startswith("| defence removed") for line in rows)
    assert len(_ROW.findall(_PAGE)) == len(rows) - heads
