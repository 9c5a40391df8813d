"""A docstring starts with a verb or a plain noun phrase, never with a question word.

"Whether it is open" makes a reader ask who speaks; "Returns True if it is open" does not. A string
below a field or an enumeration's member documents it, and counts.

python -m tests.checks.prose
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.checks.product import ROOT, report

_OPENING = re.compile(r"(What|Whether|How|Who|Whom|Whose|Where|Which|Why)\b")


def violations(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield ``file:line: first line`` for each docstring that opens with a question word."""
    for line, text in _docstrings(ast.parse(path.read_text())):
        if _OPENING.match(text):
            yield f"{path.relative_to(root)}:{line}: {text.splitlines()[0]}"


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of every statement that is nothing but a string."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.lstrip()


if __name__ == "__main__":
    sys.exit(report(violations))
