"""The provider's page explains every message about a fault."""

import re
from pathlib import Path

import pytest

from tests.faults.fault import Fault
from tests.faults.providers import BACKENDS

PAGES = Path(__file__).parents[2] / "docs" / "keys"
_ENTRY = re.compile(r"^STRONGROOM_\w+ \(entry 1\): ")


def explained(scheme: str) -> str:
    """The provider's page, if it has one, and what is said of all providers."""
    pages = [page for page in (PAGES / f"{scheme}.md", PAGES / "README.md") if page.exists()]
    return " ".join(" ".join(page.read_text() for page in pages).split())


def words_of(fault: Fault) -> list[str]:
    failures = [fault.opening, fault.making, fault.starting]
    return [_ENTRY.sub("", failure.words) for failure in failures if failure is not None]


@pytest.mark.parametrize("scheme", BACKENDS)
def test_the_words_for_every_fault_are_explained(scheme: str) -> None:
    faults = [fault for fault in BACKENDS[scheme].faults.values() if isinstance(fault, Fault)]
    words = {each for fault in faults for each in words_of(fault)}
    assert {each for each in words if each not in explained(scheme)} == set()
