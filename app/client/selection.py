"""Which secrets a command gets, and in which variables: from options and mapping files."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from app.client.redeem import Fault, read_text

# The names that the server may know (it decides), or an id; nothing that could be a value with
# spaces, quotes or punctuation.
_ENTRY = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*([A-Za-z_][A-Za-z0-9_-]*)|([A-Za-z_][A-Za-z0-9_-]*)"
)


_FILE_BYTES = 1 << 20


class Selection:
    """Variable to secret; collects every fault on the way.

    Args:
        left: For how many more seconds a file, which may be a pipe, is waited for.
    """

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self.names: dict[str, str] = {}
        self.faults: list[Fault] = []

    def add_option(self, entry: str) -> None:
        """Take ``ENV=NAME``, or ``NAME`` for both."""
        self._add(entry, "--secret")

    def add_file(self, file: Path) -> None:
        """Take one such entry a line; blank lines and those that begin with # are comments."""
        try:
            lines = read_text(file, _FILE_BYTES, self._left()).splitlines()
        except TimeoutError:
            self.faults.append(Fault(f"--from: {file} did not come to an end in time."))
            return
        except (OSError, ValueError):
            self.faults.append(Fault(f"--from: {file} cannot be read."))
            return
        for number, line in enumerate(map(str.strip, lines), 1):
            if line and not line.startswith("#"):
                self._add(line, f"{file}, line {number}")

    def add_all(self, names: Iterable[str]) -> None:
        """Take secrets by their own names, but for variables that are chosen already."""
        for name in names:
            self.names.setdefault(name, name)

    def _add(self, entry: str, place: str) -> None:
        match = _ENTRY.fullmatch(entry)
        if match is None:
            self.faults.append(Fault(f"{place}: must read VARIABLE=SECRET_NAME."))
            return
        variable, name, both = match.groups()
        variable, name = variable or both, name or both
        if self.names.setdefault(variable, name) != name:
            self.faults.append(Fault(f"{place}: {variable} is given two secrets."))
