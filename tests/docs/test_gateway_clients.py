"""The page of the gateway's clients names the versions that its tests install."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "gateway-clients.md").read_text()


def test_the_versions_of_the_python_sdks_are_those_that_are_tested() -> None:
    installed = (_ROOT / "requirements" / "sdks.txt").read_text()
    versions = dict(re.findall(r"^(\S+)==(\S+)", installed, re.MULTILINE))
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|", _PAGE, re.MULTILINE)
    assert rows
    assert {name: versions[name.lower().replace("_", "-")] for name, _ in rows} == dict(rows)
