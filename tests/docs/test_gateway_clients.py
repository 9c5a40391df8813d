"""The page of the gateway's clients names the versions that its tests install."""

import json
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_JAVASCRIPT = _ROOT / "requirements" / "javascript"
_PAGE = (_ROOT / "docs" / "gateway-clients.md").read_text()


def _rows(language: str) -> dict[str, str]:
    """The packages in the table of a language, with their versions."""
    table = _PAGE.partition(f"| {language} | version |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([\w/@-]+)` \| ([\d.]+) \|", table, re.MULTILINE)
    assert rows
    return dict(rows)


def test_the_versions_of_the_python_sdks_are_those_that_are_tested() -> None:
    installed = (_ROOT / "requirements" / "sdks.txt").read_text()
    versions = dict(re.findall(r"^(\S+)==(\S+)", installed, re.MULTILINE))
    rows = _rows("Python")
    assert {name: versions[name.lower().replace("_", "-")] for name in rows} == rows


def test_the_versions_of_the_javascript_sdks_are_those_that_are_tested() -> None:
    package = json.loads((_JAVASCRIPT / "package.json").read_text())
    assert _rows("JavaScript") == package["dependencies"]


def test_every_javascript_package_is_pinned_with_its_digest() -> None:
    packages = json.loads((_JAVASCRIPT / "package-lock.json").read_text())["packages"]
    del packages[""]
    assert [name for name, pinned in packages.items() if "integrity" not in pinned] == []
