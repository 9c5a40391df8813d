"""The files of product code, and the report of a check that reads each of them."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FOLDERS = ("app", "backends", "config")


def report(violations: Callable[[Path], Iterable[str]]) -> int:
    """Print the violations in each file of product code. Returns 1 if there is one."""
    found = [line for path in _product_files() for line in violations(path)]
    for each in found:
        sys.stdout.write(f"{each}\n")
    return 1 if found else 0


def _product_files() -> Iterator[Path]:
    yield ROOT / "wsgi.py"
    for folder in _FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))
