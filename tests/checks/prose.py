"""A docstring starts with a verb or a plain noun phrase, never with a question word.

"Whether it is open" makes a reader ask who speaks; "Returns True if it is open" does not. A string
below a field or an enumeration's member documents it, and counts. Words that were once used beside
the one of the glossary do not come back.

python -m tests.checks.prose
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.checks.product import ROOT, report

_OPENING = re.compile(r"(What|Whether|How|Who|Whom|Whose|Where|Which|Why)\b")
_WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")
_SECOND_WORDS = {
    "anew": "again",
    "causes": "reasons (docs/glossary.md: failure reason)",
    "lent": "used, opened",
    "told": "reported, distinguished",
    "seconds_left": "seconds_remaining",
}


def violations(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield ``file:line: reason`` for question words that open docstrings, and for second words."""
    text = path.read_text()
    for line, docstring in _docstrings(ast.parse(text)):
        if _OPENING.match(docstring):
            yield f"{path.relative_to(root)}:{line}: {docstring.splitlines()[0]}"
    for line, row in enumerate(text.splitlines(), 1):
        for word in _WORD.findall(row):
            if word in _SECOND_WORDS:
                yield f"{path.relative_to(root)}:{line}: {word}: say {_SECOND_WORDS[word]}"


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of every statement that is nothing but a string."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.lstrip()


if __name__ == "__main__":
    sys.exit(report(violations))
