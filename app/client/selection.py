"""The user's choice of secrets and variables, from options and mapping files."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from app.client.redeem import Fault, read_text

# VARIABLE=NAME, or NAME alone. A name may also be an id; the server decides. The pattern has no
# spaces, quotes or punctuation, so that nobody passes a value by mistake.
_ENTRY = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_]*)\s*=\s*)?([A-Za-z_][A-Za-z0-9_-]*)")
_FILE_BYTES = 1 << 20


class Selection:
    """Maps variables to names of secrets. Collects every fault on the way.

    Args:
        remaining: Returns the seconds that reading a file, which may be a pipe, may take.
    """

    def __init__(self, remaining: Callable[[], float]) -> None:
        self._remaining = remaining
        self.names: dict[str, str] = {}
        self.faults: list[Fault] = []

    def add_option(self, entry: str) -> None:
        """Add ``ENV=NAME``, or ``NAME`` for both."""
        self._add(entry, "--secret")

    def add_file(self, file: Path) -> None:
        """Add one such entry per line; blank lines and those that begin with # are comments."""
        try:
            lines = read_text(file, _FILE_BYTES, self._remaining()).splitlines()
        except TimeoutError:
            self.faults.append(Fault(f"--from: {file} did not end in time."))
            return
        except (OSError, ValueError):
            self.faults.append(Fault(f"--from: {file} cannot be read."))
            return
        for number, line in enumerate(map(str.strip, lines), 1):
            if line and not line.startswith("#"):
                self._add(line, f"{file}, line {number}")

    def add_all(self, names: Iterable[str]) -> None:
        """Add secrets by their own names, except for variables that are chosen already."""
        for name in names:
            self.names.setdefault(name, name)

    def _add(self, entry: str, place: str) -> None:
        match = _ENTRY.fullmatch(entry)
        if match is None:
            self.faults.append(Fault(f"{place}: must read VARIABLE=SECRET_NAME."))
            return
        variable, name = match[1] or match[2], match[2]
        if self.names.setdefault(variable, name) != name:
            self.faults.append(Fault(f"{place}: {variable} is given two secrets."))
