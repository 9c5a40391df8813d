"""The page of the clients names what grants something, and the versions that are tested."""

import json
import re
from pathlib import Path

from app.domain.access.scopes import GRANTING_PAIRS

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "clients.md").read_text()


def test_every_pair_that_grants_something_is_listed_and_no_other() -> None:
    listed = re.findall(
        r"^\| `(RESOURCE_TYPE_\w+)` \| `(ACCESS_LEVEL_\w+)` \|", _PAGE, re.MULTILINE
    )
    assert tuple(listed) == GRANTING_PAIRS


def test_the_versions_of_the_clients_are_those_that_are_tested() -> None:
    (python,) = re.findall(
        r"^runloop-api-client==(\S+)",
        (_ROOT / "requirements" / "dev.txt").read_text(),
        re.MULTILINE,
    )
    package = json.loads((_ROOT / "tests" / "e2e" / "javascript" / "package.json").read_text())
    typescript, of_the_command = package["dependencies"].values()
    assert f"`runloop-api-client` | {python} |" in _PAGE
    assert f"`@runloop/api-client` | {typescript} |" in _PAGE
    assert f"({of_the_command.rpartition('@')[2]})" in _PAGE
