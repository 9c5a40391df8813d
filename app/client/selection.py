"""The user's choice of secrets and variables, from options and mapping files."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from app.client.api import Server
from app.client.redeem import Allowed, Fault, Refused, name_faults, read_text

# VARIABLE=NAME, or NAME alone. A name may also be an id; the server decides. The pattern has no
# spaces, quotes or punctuation, so that nobody passes a value by mistake.
_ENTRY = re.compile(r"(?:([A-Za-z_][A-Za-z0-9_]*)\s*=\s*)?([A-Za-z_][A-Za-z0-9_-]*)")
_FILE_BYTES = 1 << 20
_MAX_SECRETS = 256  # of one injection
_ENTRY_HELP = "A variable and the secret for it; NAME alone for both. Repeatable."
_FILE_HELP = "A file of such entries, one per line; # begins a comment. Repeatable."
_ALLOWED_HELP = "Permit a variable that controls other programs. Repeatable."

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Choice(NamedTuple):
    """The options that choose secrets."""

    entries: tuple[str, ...]
    files: tuple[Path, ...]
    everything: bool


def choice_options(function: _Function) -> _Function:
    """Add the options of a `Choice`, and ``--allow-name``."""
    for option in (
        click.option("--allow-name", "allowed", multiple=True, metavar="ENV", help=_ALLOWED_HELP),
        click.option(
            "--all", "everything", is_flag=True, help="Every secret, in a variable of its name."
        ),
        click.option(
            "--from", "files", multiple=True, type=click.Path(path_type=Path), help=_FILE_HELP
        ),
        click.option("--secret", "entries", multiple=True, metavar="ENV=NAME", help=_ENTRY_HELP),
    ):
        function = option(function)
    return function


def chosen_names(
    choice: Choice,
    server: Server,
    remaining: Callable[[], float],
    faults: Iterable[Fault],
    inherited: Iterable[str],
    allowed: Allowed,
) -> dict[str, str]:
    """Return the secret's name for each variable, after every check that needs no value.

    Args:
        remaining: Returns the seconds that files and the server may take.
        faults: The faults of other options and of the server's variables.
        inherited: Variables that are set already.
    """
    selection = Selection(remaining)
    for entry in choice.entries:
        selection.add_option(entry)
    for file in choice.files:
        selection.add_file(file)
    found = [*selection.faults, *faults]
    if choice.everything and not found:
        secrets = server.account(remaining()).secrets(_MAX_SECRETS)
        selection.add_all(each.name for each in secrets)
    found += name_faults(selection.names, inherited, allowed)
    if len(selection.names) > _MAX_SECRETS:
        found.append(Fault(f"more than {_MAX_SECRETS} secrets are chosen."))
    if not selection.names and not found:
        found.append(Fault("no secret is chosen (--secret, --from or --all)."))
    if found:
        raise Refused(*found)
    return selection.names


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
