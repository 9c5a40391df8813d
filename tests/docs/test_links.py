"""The pages name files that are there."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
_HEADING = re.compile(r"(?m)^#+ (.+)$")
_MODULE = re.compile(r"(?<![\w/.$-])(?:app|backends|config|tests)/[\w/.-]*[\w/]")
_PAGES = sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_anchor_is_a_heading(page: Path) -> None:
    anchors = _ANCHOR.findall(page.read_text())
    targets = [((page.parent / link) if link else page, anchor) for link, anchor in anchors]
    assert [each for each in targets if each[1] not in _anchors_of(each[0])] == []


def _anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = (heading.lower() for heading in _HEADING.findall(page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    modules = _MODULE.findall(page.read_text())
    assert [module for module in modules if not (_ROOT / module).exists()] == []


def test_there_are_links_to_follow() -> None:
    assert any(_LINK.search(page.read_text()) for page in _PAGES)


def test_there_are_modules_to_look_for() -> None:
    assert "backends/keyring/keyring.py" in _MODULE.findall(
        (_ROOT / "docs" / "architecture.md").read_text()
    )
