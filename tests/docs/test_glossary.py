"""Every term of the glossary is used: in product code, or on a page other than the glossary."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_GLOSSARY = _ROOT / "docs" / "glossary.md"
_CODE = ("app/**/*.py", "backends/**/*.py", "config/**/*.py")
_PAGES = ("*.md", "docs/**/*.md")


def terms() -> list[str]:
    """The first column of each table of words; a row may define several."""
    rows = re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \|$", _GLOSSARY.read_text())
    words = [word for row in rows if row not in {"word", "---"} for word in row.split(", ")]
    return [word.strip("*") for word in words]


@pytest.fixture(scope="module")
def everything() -> str:
    """All code and pages, with the words of an identifier apart, in lower case."""
    paths = [path for pattern in _CODE + _PAGES for path in _ROOT.glob(pattern)]
    text = "\n".join(path.read_text() for path in paths if path != _GLOSSARY)
    return re.sub(r"[\W_]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", text)).lower()


@pytest.mark.parametrize("term", terms())
def test_a_term_is_used(term: str, everything: str) -> None:
    assert re.search(rf"\b{re.sub(r'[-_ ]', ' ', term).lower()}", everything)


def test_the_glossary_is_read() -> None:
    assert {"data key", "root key", "active", "decrypt-only"} <= set(terms())


def test_no_term_stands_there_twice() -> None:
    assert sorted(set(terms())) == sorted(terms())
