"""Where a setting's text comes from: ``NAME``, or the file that ``NAME_FILE`` names."""

import os
import stat
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

_FILE = "_FILE"
_LARGEST_FILE = 64 * 1024


class Fault(NamedTuple):
    """What is wrong with one setting: its name, and a sentence that begins with it."""

    name: str
    text: str


def read(
    environ: Mapping[str, str], names: Sequence[str], prefix: str
) -> tuple[dict[str, str], list[Fault]]:
    """The text of every setting that is given, and what is wrong with how they are given.

    Args:
        environ: What to read; it may hold much else.
        names: The names of all settings.
        prefix: A name that begins so and is none of ``names`` is taken for a mistake.
    """
    faults = _unknown(environ, names, prefix)
    given = {}
    for name in names:
        try:
            text = _text(environ, name)
        except _Fault as fault:
            faults.append(Fault(name, str(fault)))
        else:
            if text is not None:
                given[name] = text
    return given, faults


class _Fault(Exception):
    """One sentence about one setting."""


def _unknown(environ: Mapping[str, str], names: Sequence[str], prefix: str) -> list[Fault]:
    known = {*names, *(name + _FILE for name in names)}
    faults = []
    for name in sorted(environ):
        if name.startswith(prefix) and name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.85)
            hint = f" Did you mean {close[0]}?" if close else ""
            faults.append(Fault(name, f"{name}: there is no such setting.{hint}"))
    return faults


def _text(environ: Mapping[str, str], name: str) -> str | None:
    path = environ.get(name + _FILE)
    if path is None:
        return environ.get(name)
    if name in environ:
        raise _Fault(f"{name}: is given twice, as {name} and as {name + _FILE}.")
    return _contents(path, name + _FILE)


def _contents(path: str, name: str) -> str:
    try:
        # A named pipe without a writer must be refused by its mode, not waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _Fault(f"{name}: must name a regular file.")
            contents = file.read(_LARGEST_FILE + 1)
            text = contents.decode()
    except (OSError, ValueError):
        raise _Fault(f"{name}: the file cannot be read as UTF-8.") from None
    if len(contents) > _LARGEST_FILE or "\0" in text:
        raise _Fault(f"{name}: the file must be text of at most 64 KiB.")
    return text.removesuffix("\n")
