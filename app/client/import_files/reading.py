"""Reads an import file as a whole: its bytes, its format, its entries, every fault at once."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from pathlib import Path

from app.client.import_files.checking import MAX_ENTRIES, faults_of
from app.client.import_files.entries import THE_FILE, Entry, Fault, Parsed, Place
from app.client.redeem import decode, read_text

STANDARD_INPUT = Path("-")
MAX_BYTES = 1 << 20

# A parser is imported once its format is known: python-dotenv and PyYAML take 15 ms each.
_PARSERS = {
    "env": "app.client.import_files.dotenv_file",
    "docker": "app.client.import_files.docker_file",
    "json": "app.client.import_files.json_file",
    "yaml": "app.client.import_files.yaml_file",
}
FORMATS = tuple(_PARSERS)
_BY_NAME = {
    "json": re.compile(r".+\.json", re.IGNORECASE),
    "yaml": re.compile(r".+\.ya?ml", re.IGNORECASE),
    "env": re.compile(r"-|\.env(\..+)?|.+\.env(\..+)?", re.IGNORECASE),
}
_NOTED = 5
_EMPTY = "the value is empty"
_MAX_FAULTS = 2 * MAX_ENTRIES


@dataclass(frozen=True, slots=True)
class ImportFile:
    """The entries of a file, and its faults. With a fault, nothing of it should be imported."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def has_sure_names(self) -> bool:
        """True if no name can be a piece of a value, because the file reads as it was meant."""
        return bool(self.entries) and all(fault.has_sure_name for fault in self.faults)

    def notes(self) -> Iterator[str]:
        """Yield each remark about values, with its places."""
        places = dict[str, list[str]]()
        for entry in self.entries:
            if note := entry.note or ("" if entry.value else _EMPTY):
                places.setdefault(note, []).append(str(entry.place))
        for note, found in places.items():
            more = f" and {len(found) - _NOTED} more" if len(found) > _NOTED else ""
            yield f"{', '.join(found[:_NOTED])}{more}: {note}"


def format_of(file: Path) -> str | None:
    """Return the format that a file's name shows. Standard input is ``env`` by default."""
    for name, pattern in _BY_NAME.items():
        if pattern.fullmatch(file.name):
            return name
    return None


def read(file: Path, kind: str, seconds: float) -> ImportFile:
    """Read and check a file, or standard input for ``-``.

    Args:
        kind: One of `FORMATS`.
        seconds: Time until the writer of a pipe must be done.
    """
    try:
        text = _text(file, seconds)
    except _Unreadable as unreadable:
        return ImportFile(faults=[unreadable.fault])
    return parse(text, kind)


def parse(text: str, kind: str) -> ImportFile:
    """Read and check the text of a file."""
    text = text.replace("\r\n", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return ImportFile(faults=[Fault(Place(line), "has a NUL: this is no text file")])
    parsed: Parsed = import_module(_PARSERS[kind]).parse(text)
    entries, faults = [], list[Fault]()
    for each in islice(parsed, _MAX_FAULTS):
        if isinstance(each, Fault):
            faults.append(each)
        else:
            entries.append(each)
    if len(entries) > MAX_ENTRIES:
        faults.append(Fault(THE_FILE, f"has more than {MAX_ENTRIES} names: split it"))
    elif not (entries or faults):
        faults.append(Fault(THE_FILE, "has no name"))
    faults += faults_of(entries[:MAX_ENTRIES])
    return ImportFile(entries, sorted(faults, key=lambda fault: fault.place.number))


class _Unreadable(Exception):
    """The file has no text, because of ``fault``."""

    def __init__(self, rule: str, place: Place = THE_FILE) -> None:
        super().__init__()
        self.fault = Fault(place, rule)


def _text(file: Path, seconds: float) -> str:
    try:
        return _standard_input() if file == STANDARD_INPUT else read_text(file, MAX_BYTES, seconds)
    except TimeoutError:
        raise _Unreadable("did not end in time") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _Unreadable("is not UTF-8 (or UTF-16 with its mark)", Place(line)) from None
    except ValueError:
        raise _Unreadable(f"is larger than {MAX_BYTES >> 20} MiB: split it") from None
    except OSError as error:
        raise _Unreadable(f"cannot be read ({error.strerror})") from None


def _standard_input() -> str:
    """Read standard input, which may be a socket. A terminal would show what is pasted."""
    if sys.stdin is None or sys.stdin.closed:
        raise _Unreadable("is closed")
    if sys.stdin.isatty():
        raise _Unreadable("is a terminal, which would show the values: name a file, or use a pipe")
    raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError
    return decode(raw)
