"""A product file has at most 400 lines, the body of a function at most 40.

All lines of a file count. A body is counted from its first statement after the docstring to its
end: decorators, signature and docstring are free, and a nested function counts in the outer one.

python -m tests.checks.sizes
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.checks.product import ROOT, report

MAX_FILE_LINES = 400
MAX_BODY_LINES = 40
_EXEMPT = {"app/client/redeem.py"}  # one file by design, so that users can copy it


def violations(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield ``file:line: text`` for the file if it is too long, and for each such function."""
    name, text = path.relative_to(root).as_posix(), path.read_text()
    lines = len(text.splitlines())
    if lines > MAX_FILE_LINES and name not in _EXEMPT:
        yield f"{name}:1: {lines} lines; at most {MAX_FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = _body_lines(node)
            if count > MAX_BODY_LINES:
                yield f"{name}:{node.lineno}: {node.name}: {count} lines; at most {MAX_BODY_LINES}"


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    has_docstring = ast.get_docstring(node, clean=False) is not None
    statements = node.body[1:] if has_docstring else node.body
    if not statements:
        return 0
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1


if __name__ == "__main__":
    sys.exit(report(violations))
