"""``.env`` files, read by python-dotenv's own parser, without interpolation."""

import io
import re

from dotenv.parser import parse_stream

from app.client.import_files.entries import Entry, Fault, Parsed, Place

_BLANKS = re.compile(r"[^\S\n]+")
_MAX_BLANKS = 200
_NOT_READABLE = "is not NAME=VALUE (a value of several lines needs quotes)"
_NO_VALUE = "has no = and so no value"
_TOO_MANY_BLANKS = f"has more than {_MAX_BLANKS} blanks in a row"
_NOT_INTERPOLATED = "${…} is stored as it stands: nothing is interpolated"


def parse(text: str) -> Parsed:
    """Yield the entries of a ``.env`` file."""
    text = text.replace("\r", "\n")  # as Python opens text files, and so as python-dotenv reads it
    faults = _blanks(text)
    yield from faults
    if faults:
        return
    for binding in parse_stream(io.StringIO(text)):
        place = Place(_line(binding.original.string, binding.original.line))
        if binding.error:
            yield Fault(place, _NOT_READABLE)
        elif binding.key is not None and binding.value is None:
            yield Fault(place, _NO_VALUE)
        elif binding.key is not None and binding.value is not None:
            note = _NOT_INTERPOLATED if "${" in binding.value else ""
            yield Entry(place, binding.key, binding.value, note)


def _blanks(text: str) -> list[Fault]:
    """Refuse long runs of blanks, on which python-dotenv takes quadratic time."""
    return [
        Fault(Place(text.count("\n", 0, run.start()) + 1), _TOO_MANY_BLANKS)
        for run in _BLANKS.finditer(text)
        if run.end() - run.start() > _MAX_BLANKS
    ]


def _line(original: str, first: int) -> int:
    """Return the line of a binding. Its text may begin with blank lines."""
    blank = original[: len(original) - len(original.lstrip())]
    return first + blank.count("\n")
