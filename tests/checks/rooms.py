"""A folder of product code holds at most 15 modules, so that a reader sees all of it at once.

python -m tests.checks.rooms
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PRODUCT = ("app", "backends", "config")
_MAX_MODULES = 15
_VERSIONS = "versions"  # migrations are never moved once released


def main() -> int:
    """Print every folder that holds more. Returns 1 if there is one."""
    crowded = list(_crowded())
    for each in crowded:
        sys.stderr.write(f"{each}\n")
    return 1 if crowded else 0


def _crowded() -> Iterator[str]:
    modules = (path for folder in _PRODUCT for path in (_ROOT / folder).rglob("*.py"))
    counts = Counter(
        path.parent
        for path in modules
        if path.name != "__init__.py" and path.parent.name != _VERSIONS
    )
    for folder, count in counts.items():
        if count > _MAX_MODULES:
            yield f"{folder.relative_to(_ROOT)}: {count} modules; at most {_MAX_MODULES}"


if __name__ == "__main__":
    sys.exit(main())
