"""Entries ``VARIABLE=SECRET_NAME``, from options and mapping files. Values are never repeated."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from app.client.redeem import Fault, read_text
from app.client.selection.plain_names import is_credential, is_dotenv, is_plain_name

# VARIABLE=NAME, or NAME alone. A name may also be an id; the server decides. The pattern has no
# spaces, quotes or punctuation, so most values do not fit.
_ENTRY = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_]*)\s*=\s*)?([A-Za-z_][A-Za-z0-9_-]*)")
_FILE_BYTES, _FILE_LINES = 1 << 20, 20_000
_NAMED_LINES = 3


class Entry(NamedTuple):
    """A variable and the name, or the id, of the secret for it.

    Attributes:
        place: Names the option or the line, without the name of the secret.
        file: The mapping file that it is from, if any.
        line: Its line in the mapping file.
        in_file: True if the command gets the value in a file.
    """

    variable: str
    name: str
    place: str
    file: Path | None = None
    line: int = 0
    in_file: bool = False

    @property
    def needs_variable(self) -> bool:
        """True for a name with hyphens that stands alone."""
        return "-" in self.variable

    @property
    def may_be_value(self) -> bool:
        """True if the name could be a value that was typed in its place."""
        is_word = "_" not in self.name.strip("_") and self.name != self.variable
        return is_word or self.is_from_dotenv or not is_plain_name(self.name)

    @property
    def with_variable(self) -> str:
        """The text to write instead of a name with hyphens: MY_KEY=my-key."""
        return f"{self.variable.replace('-', '_').upper()}={self.name}"

    @property
    def is_from_dotenv(self) -> bool:
        """True if its file has a name under which people store values."""
        return self.file is not None and is_dotenv(self.file.name)


class Entries:
    """Collects entries by variable, and every fault on the way.

    Args:
        remaining: Returns the seconds that reading a file, which may be a pipe, may take.
    """

    def __init__(self, remaining: Callable[[], float]) -> None:
        self._remaining = remaining
        self._found: dict[str, Entry] = {}
        self.faults: list[Fault] = []

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._found.values())

    def add_option(self, text: str, option: str, *, in_file: bool = False) -> None:
        """Add ``ENV=NAME``, or ``NAME`` for both."""
        variable, equals, _ = text.partition("=")
        place = f"{option} {variable}=…" if equals and is_plain_name(variable) else option
        entry = _parse(text, place)
        if entry is None:
            way_out = "`strongroom secret set` stores a value, which never stands here"
            self.faults.append(Fault(f"{place}: must read VARIABLE=SECRET_NAME; {way_out}."))
        else:
            self._add(entry._replace(in_file=in_file))

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
        if len(lines) > _FILE_LINES:
            self.faults.append(Fault(f"--from: {file} has more than {_FILE_LINES} lines."))
            return
        wrong = []
        for number, line in enumerate(map(str.strip, lines), 1):
            if line and not line.startswith("#"):
                entry = _parse(line, f"{file}, line {number}")
                if entry is None:
                    wrong.append(number)
                else:
                    self._add(entry._replace(file=file, line=number))
        if wrong:
            self.faults.append(Fault(f"--from: {describe_values(file, wrong)}"))

    def _add(self, entry: Entry) -> None:
        other = self._found.setdefault(entry.variable, entry)
        if (other.name, other.in_file) != (entry.name, entry.in_file):
            variable = entry.variable if is_plain_name(entry.variable) else "a variable"
            self.faults.append(Fault(f"{entry.place}: {variable} is given two secrets."))


def describe_values(file: Path, lines: Sequence[int]) -> str:
    """Describe lines of a mapping file that seem to have values, and name the way out."""
    named = ", ".join(map(str, lines[:_NAMED_LINES]))
    more = f" and {len(lines) - _NAMED_LINES} more" if len(lines) > _NAMED_LINES else ""
    return (
        f"{file}, line{'s' if len(lines) > 1 else ''} {named}{more}: no name of a secret but, it "
        "seems, a value as in a .env file. Nothing of the file was sent. "
        f"`strongroom secret import {shlex.quote(str(file))}` stores values; a mapping has lines "
        "VARIABLE=SECRET_NAME."
    )


def _parse(text: str, place: str) -> Entry | None:
    match = _ENTRY.fullmatch(text)
    if match is None or is_credential(text):
        return None
    return Entry(match[1] or match[2], match[2], place)
